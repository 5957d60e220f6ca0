// A minimal forwarder between two vhost ports, the peer of vswitch-perf. With a third port and a template of outer headers
// it clones every packet that port 0 sends or is given (a header mbuf before an indirect clone) into VXLAN there.
//   cloop EAL-ARGUMENTS -- COUNTERS BUFFER-BYTES [TEMPLATE-HEX KEEP]
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#define BURST 32
#define RING 1024
#define OUTER 50

// A file that the harness reads: what it counts, in this order.
static struct { uint64_t forwarded, dropped, copies, copies_dropped, no_buffer, busy, idle; } *counters;
static volatile sig_atomic_t stop;
static struct rte_mempool *buffers, *headers, *clones;
static uint8_t template[OUTER];
static uint32_t keep, partial;
static int mirrors;

static void on_signal(int signal) { (void)signal; stop = 1; }

static void fill(uint8_t *outer, const uint8_t *inner, uint32_t inner_len) {
    uint32_t a, b, ports, sum = partial + inner_len + OUTER - 14;
    memcpy(outer, template, OUTER);
    memcpy(&a, inner + 26, 4), memcpy(&b, inner + 30, 4), memcpy(&ports, inner + 34, 4);
    uint32_t hash = (a ^ b ^ ports ^ (ports >> 16 | ports << 16)) * 0x9e3779b1u;
    uint16_t total = rte_cpu_to_be_16(inner_len + OUTER - 14), udp = rte_cpu_to_be_16(inner_len + OUTER - 34);
    uint16_t port = rte_cpu_to_be_16(0xc000 | hash >> 18), check;
    sum = (sum & 0xffff) + (sum >> 16), sum = (sum & 0xffff) + (sum >> 16);
    check = rte_cpu_to_be_16(~sum & 0xffff);
    memcpy(outer + 16, &total, 2), memcpy(outer + 24, &check, 2);
    memcpy(outer + 34, &port, 2), memcpy(outer + 38, &udp, 2);
}

// The copy of one packet; NULL when there is no buffer.
static struct rte_mbuf *copy_of(struct rte_mbuf *packet) {
    struct rte_mbuf *header = rte_pktmbuf_alloc(headers), *clone = header ? rte_pktmbuf_clone(packet, clones) : NULL;
    if (!clone) {
        rte_pktmbuf_free(header);
        counters->no_buffer++;
        return NULL;
    }
    if (clone->pkt_len > keep)
        rte_pktmbuf_trim(clone, clone->pkt_len - keep); // Buffers hold the longest frame: one segment.
    fill((uint8_t *)rte_pktmbuf_append(header, OUTER), rte_pktmbuf_mtod(packet, uint8_t *), clone->pkt_len);
    rte_pktmbuf_chain(header, clone);
    return header;
}

static uint16_t turn(uint16_t from) {
    struct rte_mbuf *packets[BURST], *copies[BURST];
    uint16_t n = rte_eth_rx_burst(from, 0, packets, BURST), made = 0, sent, i;
    if (!n)
        return 0;
    for (i = 0; mirrors && i < n; i++)
        copies[i] = copy_of(packets[i]);
    sent = rte_eth_tx_burst(1 - from, 0, packets, n);
    for (i = sent; i < n; i++)
        rte_pktmbuf_free(packets[i]);
    counters->forwarded += sent, counters->dropped += n - sent;
    if (!mirrors)
        return n;
    // What port 0 sent was sent; what it was to be given is a packet of its own only where its ring took it.
    for (i = 0; i < n; i++) {
        if (from == 1 && i >= sent)
            rte_pktmbuf_free(copies[i]);
        else if (copies[i])
            copies[made++] = copies[i];
    }
    sent = rte_eth_tx_burst(2, 0, copies, made);
    for (i = sent; i < made; i++)
        rte_pktmbuf_free(copies[i]);
    counters->copies += sent, counters->copies_dropped += made - sent;
    return n;
}

static int work(void *unused) {
    uint64_t before = rte_rdtsc(), now;
    for (; !stop; before = now) {
        uint16_t n = turn(0) + turn(1);
        now = rte_rdtsc();
        *(n ? &counters->busy : &counters->idle) += now - before;
    }
    (void)unused;
    return 0;
}

static void check(int ok, const char *what) {
    if (!ok)
        rte_exit(EXIT_FAILURE, "cloop: %s\n", what);
}

int main(int argc, char **argv) {
    int used = rte_eal_init(argc, argv), file, ports, i;
    check(used >= 0 && argc - used >= 3, "bad arguments");
    argv += used, argc -= used;
    ports = rte_eth_dev_count_avail();
    mirrors = argc == 5;
    check(ports == (mirrors ? 3 : 2) && rte_lcore_count() == 2, "wrong number of ports or lcores");
    file = open(argv[1], O_RDWR | O_CREAT, 0600);
    check(file >= 0 && ftruncate(file, sizeof(*counters)) == 0, "no counters");
    counters = mmap(NULL, sizeof(*counters), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    check(counters != MAP_FAILED, "no counters");
    for (i = 0; mirrors && i < OUTER; i++)
        check(sscanf(argv[3] + 2 * i, "%2hhx", &template[i]) == 1, "bad template");
    keep = mirrors ? atoi(argv[4]) : 0;
    for (i = 14; i < 34; i += 2)
        partial += template[i] << 8 | template[i + 1];
    buffers = rte_pktmbuf_pool_create("buffers", 16383, 256, 0, RTE_PKTMBUF_HEADROOM + atoi(argv[2]), 0);
    headers = rte_pktmbuf_pool_create("headers", 8191, 256, 0, RTE_PKTMBUF_HEADROOM + 64, 0);
    clones = rte_pktmbuf_pool_create("clones", 8191, 256, 0, 0, 0);
    check(buffers && headers && clones, "too little memory");
    for (i = 0; i < ports; i++) {
        struct rte_eth_conf conf = {0};
        check(rte_eth_dev_configure(i, 1, 1, &conf) == 0 && rte_eth_rx_queue_setup(i, 0, RING, 0, NULL, buffers) == 0 &&
              rte_eth_tx_queue_setup(i, 0, RING, 0, NULL) == 0 && rte_eth_dev_start(i) == 0, "a port does not start");
    }
    signal(SIGTERM, on_signal), signal(SIGINT, on_signal);
    check(rte_eal_remote_launch(work, NULL, rte_get_next_lcore(-1, 1, 0)) == 0, "no worker");
    puts("cloop: ready"), fflush(stdout);
    while (!stop)
        usleep(20000); // Waiting for an lcore spins, and this CPU is the generator's too.
    rte_eal_mp_wait_lcore();
    for (i = 0; i < ports; i++)
        rte_eth_dev_stop(i), rte_eth_dev_close(i);
    rte_eal_cleanup();
    return 0;
}
