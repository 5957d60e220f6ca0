#include "shim.h"
#include <rte_errno.h>

int ds_errno(void) { return rte_errno; }

struct rte_mbuf *ds_pktmbuf_alloc(struct rte_mempool *pool) { return rte_pktmbuf_alloc(pool); }
void ds_pktmbuf_free(struct rte_mbuf *mbuf) { rte_pktmbuf_free(mbuf); }

unsigned ds_ring_sp_enqueue_burst(struct rte_ring *ring, void *const *objects, unsigned count)
{
	return rte_ring_sp_enqueue_burst(ring, objects, count, NULL);
}

unsigned ds_ring_sc_dequeue_burst(struct rte_ring *ring, void **objects, unsigned count)
{
	return rte_ring_sc_dequeue_burst(ring, objects, count, NULL);
}

unsigned ds_ring_count(const struct rte_ring *ring) { return rte_ring_count(ring); }

uint16_t ds_eth_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count)
{
	return rte_eth_rx_burst(port, queue, mbufs, count);
}

uint16_t ds_eth_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count)
{
	return rte_eth_tx_burst(port, queue, mbufs, count);
}
