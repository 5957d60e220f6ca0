//! The configuration file.

use super::Finding;
use super::facts::Found;

pub(super) fn file(found: &Found) -> Finding {
    match (&found.path, &found.config) {
        (Some(path), Ok(_)) => Finding::ok("config", path.display().to_string()),
        (Some(path), Err(problems)) => {
            let more = if problems.len() > 1 { format!(" (and {} more)", problems.len() - 1) } else { String::new() };
            let says = format!("{}{more}", problems.first().map_or("", String::as_str));
            Finding::fail("config", says, format!("vswitch check --config {}", path.display()))
        }
        (None, _) => Finding::warn(
            "config",
            "neither conf/vswitch.toml nor /etc/vswitch/vswitch.toml is there: defaults are taken for what follows",
            "vswitchctl doctor --config FILE",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use crate::control::config::Config;

    #[test]
    fn a_file_is_read_broken_or_not_there() {
        let found = |path: Option<&str>, config| Found { path: path.map(Into::into), config };
        let level = |found: &Found| file(found).level;
        assert_eq!(level(&found(Some("v.toml"), Ok(Config::default()))), Level::Ok);
        assert_eq!(level(&found(None, Ok(Config::default()))), Level::Warn);
        let broken = file(&found(Some("v.toml"), Err(vec!["first".to_owned(), "second".to_owned()])));
        assert_eq!((broken.level, &*broken.says), (Level::Fail, "first (and 1 more)"));
        assert_eq!(broken.mend.as_deref(), Some("vswitch check --config v.toml"));
    }
}
