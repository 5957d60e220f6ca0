/* The headers whose names vswitch uses; build.rs lists the names. */
#include <rte_config.h>
#include <rte_acl.h>
#include <rte_errno.h>
#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>
#include <rte_ethdev.h>
#include <rte_vhost.h>
#include <rte_bus_vdev.h>
#include <rte_vect.h>
#include <rte_version.h>
#include "shim.h"
