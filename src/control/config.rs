//! temp
#![allow(missing_docs)]
use std::path::PathBuf;
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    Poll,
    Sleep,
}
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    pub count: u16,
    pub lcores: Vec<u16>,
    pub idle: Idle,
    pub burst: u8,
    pub ring_size: u32,
}
#[derive(Clone, Debug)]
pub struct DpdkConfig {
    pub hugepages: bool,
    pub memory_mb: u32,
    pub file_prefix: String,
    pub control_cpu: usize,
}
#[derive(Clone, Debug)]
pub struct PoolsConfig {
    pub std_mbufs: u32,
    pub jumbo_mbufs: u32,
}
#[derive(Clone, Debug)]
pub struct PortsConfig {
    pub credit: u32,
}
#[derive(Clone, Debug)]
pub struct FilesConfig {
    pub inventory: PathBuf,
    pub mirror: PathBuf,
}
#[derive(Clone, Debug)]
pub struct LogConfig {
    pub level: String,
}
#[derive(Clone, Debug)]
pub struct OpsConfig {
    pub socket: PathBuf,
}
#[derive(Clone, Debug)]
pub struct MetricsConfig {
    pub listen: String,
}
#[derive(Clone, Debug)]
pub struct Config {
    pub worker: WorkerConfig,
    pub dpdk: DpdkConfig,
    pub pools: PoolsConfig,
    pub ports: PortsConfig,
    pub files: FilesConfig,
    pub log: LogConfig,
    pub ops: OpsConfig,
    pub metrics: MetricsConfig,
}
