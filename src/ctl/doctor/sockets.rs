//! The operations socket and the folder of the guests' sockets.

use std::path::Path;

use super::Finding;
use super::facts::{Door, Facts, Kind, Place};
use crate::control::config::Config;

/// Longest path of a Unix socket (`sockaddr_un` less the NUL).
const SOCKET_PATH: usize = 107;

pub(super) fn sockets(config: &Config, facts: &Facts) -> Vec<Finding> {
    let folder = &config.ports.socket_dir;
    let operations = operations(&facts.socket, &facts.door, facts.place(&facts.socket));
    let ready = facts.ready.as_ref().map(ready);
    std::iter::once(operations).chain(ready).chain([guests(folder, facts.place(folder))]).collect()
}

/// Does the switch serve?
fn ready(ready: &Result<(), String>) -> Finding {
    match ready {
        Ok(()) => Finding::ok("ready", "the switch serves"),
        Err(why) => {
            Finding::warn("ready", format!("the switch does not serve: {why}"), "vswitchctl eni; journalctl -u vswitch")
        }
    }
}

/// Does the daemon answer, and to whom?
fn operations(path: &Path, door: &Door, place: Place) -> Finding {
    const NAME: &str = "ops_socket";
    let shown = path.display();
    if path.as_os_str().len() > SOCKET_PATH {
        let says = format!("{shown} has more than {SOCKET_PATH} bytes");
        return Finding::fail(NAME, says, "set ops.socket to a shorter path");
    }
    match door {
        Door::Answers if place.mode & 0o002 != 0 => {
            Finding::fail(NAME, format!("{shown}: any user may command the switch"), format!("chmod o-rwx {shown}"))
        }
        Door::Answers => Finding::ok(NAME, format!("the daemon answers at {shown}")),
        Door::Silent(why) => {
            let says = format!("{shown}: somebody listens and does not answer: {why}");
            Finding::fail(NAME, says, "journalctl -u vswitch, then systemctl restart vswitch")
        }
        Door::Denied => {
            let says = format!("{shown}: this user may not ask the daemon");
            Finding::fail(NAME, says, "sudo vswitchctl, or join the group that the socket belongs to")
        }
        Door::Closed if !matches!(place.kind, Kind::Missing | Kind::Socket) => {
            let says = format!("{shown} is not a socket: the daemon will not start");
            Finding::fail(NAME, says, format!("rm {shown}, or choose another ops.socket"))
        }
        Door::Closed => Finding::warn(NAME, format!("{shown}: no daemon is running"), "systemctl start vswitch"),
    }
}

/// Where VMMs and the switch meet: whoever may write there can stand in for a guest.
fn guests(path: &Path, place: Place) -> Finding {
    const NAME: &str = "socket_dir";
    let shown = path.display();
    match place.kind {
        Kind::Missing => Finding::warn(
            NAME,
            format!("{shown} does not exist: no VMM can listen there"),
            format!("mkdir -p -m 0750 {shown}"),
        ),
        Kind::Folder if place.mode & 0o002 != 0 => {
            Finding::fail(NAME, format!("{shown}: any user may put a socket there"), format!("chmod o-w {shown}"))
        }
        Kind::Folder if !place.writable => {
            let says = format!("{shown}: this user may not make sockets there");
            Finding::warn(NAME, says, format!("chown or chmod {shown} for the user of the daemon, or run as root"))
        }
        Kind::Folder => Finding::ok(NAME, shown.to_string()),
        Kind::Hidden => Finding::warn(NAME, format!("{shown}: this user may not look there"), "sudo vswitchctl doctor"),
        _ => Finding::fail(NAME, format!("{shown} is not a folder"), format!("rm {shown} && mkdir -p -m 0750 {shown}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn place(kind: Kind, mode: u32) -> Place {
        Place { kind, mode, writable: true }
    }

    #[test]
    fn the_operations_socket_answers_is_quiet_or_is_in_the_way() {
        let path = Path::new("/run/vswitch/ops.sock");
        let level = |door: Door, place| operations(path, &door, place).level;
        assert_eq!(level(Door::Answers, place(Kind::Socket, 0o660)), Level::Ok);
        assert_eq!(level(Door::Answers, place(Kind::Socket, 0o666)), Level::Fail);
        assert_eq!(level(Door::Silent("late".to_owned()), place(Kind::Socket, 0o660)), Level::Fail);
        assert_eq!(level(Door::Denied, place(Kind::Socket, 0o660)), Level::Fail);
        assert_eq!(level(Door::Closed, place(Kind::Missing, 0)), Level::Warn);
        assert_eq!(level(Door::Closed, place(Kind::Socket, 0o660)), Level::Warn, "one of a daemon that was killed");
        assert_eq!(level(Door::Closed, place(Kind::File, 0o644)), Level::Fail);
        let long = format!("/{}", "x".repeat(SOCKET_PATH));
        assert_eq!(operations(Path::new(&long), &Door::Closed, place(Kind::Missing, 0)).level, Level::Fail);
    }

    #[test]
    fn a_switch_that_answers_serves_or_not() {
        assert_eq!(ready(&Ok(())).level, Level::Ok);
        let not = ready(&Err("ring_stuck: a queue".to_owned()));
        assert_eq!((not.level, not.says.ends_with("ring_stuck: a queue")), (Level::Warn, true));
    }

    #[test]
    fn the_folder_of_sockets_is_there_and_not_everybody_s() {
        let level = |place| guests(Path::new("/run/vswitch/eni"), place).level;
        assert_eq!(level(place(Kind::Folder, 0o750)), Level::Ok);
        assert_eq!(level(place(Kind::Missing, 0)), Level::Warn);
        assert_eq!(level(place(Kind::Folder, 0o777)), Level::Fail);
        assert_eq!(level(place(Kind::File, 0o644)), Level::Fail);
        assert_eq!(level(place(Kind::Hidden, 0)), Level::Warn);
        assert_eq!(level(Place { writable: false, ..place(Kind::Folder, 0o755) }), Level::Warn);
    }
}
