//! Finds Debian's DPDK, makes the bindings and compiles the shim.

use std::env;
use std::path::PathBuf;

/// The oldest DPDK with the fixes that hostile guests make necessary.
const OLDEST: &str = "22.11.11";

const FUNCTIONS: &[&str] = &[
    "ds_.*",
    "rte_acl_add_rules",
    "rte_acl_build",
    "rte_acl_classify_alg",
    "rte_acl_create",
    "rte_acl_free",
    "rte_acl_set_ctx_classify",
    "rte_eal_init",
    "rte_eal_get_runtime_dir",
    "rte_eal_hotplug_add",
    "rte_eal_hotplug_remove",
    "rte_eth_dev_configure",
    "rte_eth_dev_get_port_by_name",
    "rte_eth_dev_start",
    "rte_eth_dev_stop",
    "rte_eth_rx_queue_setup",
    "rte_eth_tx_queue_setup",
    "rte_malloc_get_socket_stats",
    "rte_mempool_avail_count",
    "rte_mempool_in_use_count",
    "rte_pktmbuf_pool_create",
    "rte_pktmbuf_clone",
    "rte_pktmbuf_free_bulk",
    "rte_ring_create",
    "rte_ring_free",
    "rte_strerror",
    "rte_thread_register",
    "rte_thread_unregister",
    "rte_vect_set_max_simd_bitwidth",
    "rte_version",
    "rte_vhost_driver_register",
    "rte_vhost_driver_unregister",
    "rte_vhost_driver_start",
    "rte_vhost_driver_callback_register",
    "rte_vhost_driver_disable_features",
    "rte_vhost_enable_guest_notification",
    "rte_vhost_enqueue_burst",
    "rte_vhost_dequeue_burst",
    "rte_vhost_extern_callback_register",
    "rte_vhost_get_ifname",
    "rte_vhost_get_mtu",
    "rte_vhost_get_negotiated_features",
    "rte_vhost_get_vhost_vring",
    "rte_vhost_get_vring_base",
    "rte_vhost_rx_queue_count",
];

const TYPES: &[&str] = &[
    "rte_acl_classify_alg",
    "rte_acl_config",
    "rte_acl_ctx",
    "rte_acl_field",
    "rte_acl_param",
    "rte_acl_rule",
    "rte_acl_rule_data",
    "rte_malloc_socket_stats",
    "rte_mbuf",
    "rte_mempool",
    "rte_ring",
    "rte_eth_conf",
    "rte_vhost_device_ops",
    "rte_vhost_user_extern_ops",
    "rte_vhost_msg_result",
    "rte_vhost_vring",
];

const CONSTANTS: &[&str] = &[
    "RTE_ACL_FIELD_TYPE_.*",
    "RTE_ACL_MAX_PRIORITY",
    "RTE_VHOST_USER_CLIENT",
    "RTE_VHOST_USER_LINEARBUF_SUPPORT",
    "RTE_PKTMBUF_HEADROOM",
    "RING_F_SP_ENQ",
    "RING_F_SC_DEQ",
];

fn main() {
    for file in ["wrapper.h", "shim.h", "shim.c"] {
        println!("cargo:rerun-if-changed={file}");
    }
    let dpdk = match pkg_config::Config::new().atleast_version(OLDEST).cargo_metadata(false).probe("libdpdk") {
        Ok(dpdk) => dpdk,
        Err(e) => {
            eprintln!(
                "vswitch needs DPDK {OLDEST} or newer of the 22.11 line: install Debian's package libdpdk-dev \
                 (and pkg-config), or build without it: cargo build --no-default-features.\n{e}"
            );
            std::process::exit(1);
        }
    };
    link();
    let flags = cflags();
    let mut bindings = bindgen::Builder::default()
        .header("wrapper.h")
        .clang_args(&flags)
        .use_core()
        .layout_tests(false)
        .generate_comments(false)
        .derive_default(true)
        .prepend_enum_name(false)
        .opaque_type("rte_arp_hdr|rte_arp_ipv4|rte_gtp_.*|rte_l2tpv2_.*")
        .opaque_type("rte_eth_conf|rte_memzone|rte_eth_rxconf|rte_eth_txconf")
        .rustified_enum("rte_vhost_msg_result");
    for f in FUNCTIONS {
        bindings = bindings.allowlist_function(f);
    }
    for t in TYPES {
        bindings = bindings.allowlist_type(t);
    }
    for c in CONSTANTS {
        bindings = bindings.allowlist_var(c);
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    match bindings.generate() {
        Ok(b) => b.write_to_file(out.join("bindings.rs")).unwrap_or_else(|e| fail(&e.to_string())),
        Err(e) => fail(&format!("bindgen: {e} (Debian's package libclang-dev is needed)")),
    }
    let mut shim = cc::Build::new();
    shim.file("shim.c").opt_level(3).warnings(false);
    for flag in &flags {
        shim.flag(flag);
    }
    for path in &dpdk.include_paths {
        shim.include(path);
    }
    shim.compile("ds_shim");
}

/// Only the libraries that are called; the mempool driver is loaded by EAL from its plug-in folder.
fn link() {
    for lib in ["rte_acl", "rte_vhost", "rte_ethdev", "rte_mbuf", "rte_mempool", "rte_ring", "rte_eal"] {
        println!("cargo:rustc-link-lib={lib}");
    }
}

/// Every flag of pkg-config, in order: `-include rte_config.h` and `-march` must reach both compilers.
fn cflags() -> Vec<String> {
    let out = std::process::Command::new("pkg-config").args(["--cflags", "libdpdk"]).output();
    match out {
        Ok(out) if out.status.success() => {
            String::from_utf8_lossy(&out.stdout).split_whitespace().map(str::to_owned).collect()
        }
        _ => fail("pkg-config --cflags libdpdk does not work"),
    }
}

fn fail(why: &str) -> ! {
    eprintln!("dpdk-sys: {why}");
    std::process::exit(1);
}
