//! Sockets of ENIs: where each is, and that nobody else is there.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use super::config::Config;
use super::raw::{Object, text};

/// Longest path of a Unix socket (`sockaddr_un` less the NUL).
const SOCKET_PATH: usize = 107;

/// Who listens or connects where; paths are [`normal`].
pub(super) struct Sockets(HashMap<PathBuf, String>);

impl Sockets {
    /// Those that are taken before any ENI.
    pub(super) fn of(config: &Config) -> Self {
        Sockets(HashMap::from([(normal(&config.ops.socket), "the operations API (ops.socket)".to_owned())]))
    }

    /// The named socket or the one that goes by the id; a relative path starts at ports.socket_dir.
    pub(super) fn claim(
        &mut self,
        object: &Object<'_>,
        id: Option<&str>,
        name: &str,
        config: &Config,
    ) -> Option<PathBuf> {
        let named = object.optional("Socket", "a path", |v| text(v).filter(|s| !s.contains('\0')));
        let file = match (named, object.raw("Socket")) {
            (Some(named), _) => named,
            (None, Some(_)) => return None,
            (None, None) => format!("{}.sock", id?),
        };
        let socket = config.ports.socket_dir.join(file);
        let report = |what: String| {
            object.sink().report(object.path_of("Socket"), Some(&Value::from(socket.display().to_string())), what);
        };
        if socket.as_os_str().len() > SOCKET_PATH {
            report(format!("a socket's path has at most {SOCKET_PATH} bytes"));
        }
        if let Some(other) = self.0.insert(normal(&socket), format!("ENI {name}")) {
            report(format!("{other} has this socket"));
        }
        Some(socket)
    }
}

/// One spelling of a path: absolute, without `.`, `..` and doubled slashes.
fn normal(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.components().fold(PathBuf::new(), |mut normal, part| {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(normal.pop()),
            part => normal.push(part),
        }
        normal
    })
}
