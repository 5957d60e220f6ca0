/* Static inlines of DPDK, as functions. Queues and rings: a call a burst. Buffers: ds_pktmbuf_alloc and ds_pktmbuf_free
 * are a call a buffer, for copies and for frames dropped one at a time; whole bursts go back by rte_pktmbuf_free_bulk. */
#ifndef DS_SHIM_H
#define DS_SHIM_H
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

int ds_errno(void);
struct rte_mbuf *ds_pktmbuf_alloc(struct rte_mempool *pool);
void ds_pktmbuf_free(struct rte_mbuf *mbuf);
unsigned ds_ring_sp_enqueue_burst(struct rte_ring *ring, void *const *objects, unsigned count);
unsigned ds_ring_sc_dequeue_burst(struct rte_ring *ring, void **objects, unsigned count);
unsigned ds_ring_count(const struct rte_ring *ring);
uint16_t ds_eth_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count);
uint16_t ds_eth_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count);
#endif
