/* Static inlines of DPDK, as functions: a call a burst, never a call a packet. */
#ifndef DS_SHIM_H
#define DS_SHIM_H
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

int ds_errno(void);
unsigned ds_lcore_id(void);
int ds_pktmbuf_alloc_bulk(struct rte_mempool *pool, struct rte_mbuf **mbufs, unsigned count);
struct rte_mbuf *ds_pktmbuf_alloc(struct rte_mempool *pool);
void ds_pktmbuf_free(struct rte_mbuf *mbuf);
unsigned ds_ring_sp_enqueue_burst(struct rte_ring *ring, void *const *objects, unsigned count);
unsigned ds_ring_sc_dequeue_burst(struct rte_ring *ring, void **objects, unsigned count);
unsigned ds_ring_count(const struct rte_ring *ring);
uint16_t ds_eth_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count);
uint16_t ds_eth_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count);
#endif
