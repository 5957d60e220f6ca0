//! The whole terminal as a page that is drawn again and again, and the keys that are pressed meanwhile.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// Another page, without the cursor; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// The terminal while it is ours; its drop gives it back as it was.
pub(super) struct Screen {
    before: Termios,
}

impl Screen {
    /// The terminal, if there is one at both ends.
    pub(super) fn open() -> Option<Screen> {
        let (input, output) = (std::io::stdin(), std::io::stdout());
        if !input.is_terminal() || !output.is_terminal() {
            return None;
        }
        let before = tcgetattr(&input).ok()?;
        let mut keys = before.clone();
        // Keys come at once and unseen; Ctrl-C is a key too, so that the terminal is given back.
        keys.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
        tcsetattr(&input, OptionalActions::Now, &keys).ok()?;
        let screen = Screen { before };
        write(ENTER).ok()?;
        Some(screen)
    }

    /// Draws a page over the last one, cut to the terminal.
    pub(super) fn draw(&self, page: &str) -> std::io::Result<()> {
        let size = tcgetwinsize(std::io::stdout()).ok().filter(|size| size.ws_row > 0 && size.ws_col > 0);
        let (rows, columns) = size.map_or((24, 80), |size| (usize::from(size.ws_row), usize::from(size.ws_col)));
        write(&fitted(page, rows, columns))
    }

    /// The next key, if one is pressed in time.
    pub(super) fn key(&self, wait: Duration) -> Option<u8> {
        let end = Instant::now() + wait;
        let input = std::io::stdin();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let timeout = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
            let mut ready = [PollFd::new(&input, PollFlags::IN)];
            match poll(&mut ready, Some(&timeout)) {
                Ok(0) => return None,
                Ok(_) => {
                    let mut byte = [0];
                    // A terminal that is gone asks to quit.
                    return Some(if rustix::io::read(&input, &mut byte) == Ok(1) { byte[0] } else { b'q' });
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return Some(b'q'),
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = write(LEAVE);
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.before);
    }
}

fn write(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// A page from the upper left corner on, that scrolls nothing and leaves nothing of the one before.
fn fitted(page: &str, rows: usize, columns: usize) -> String {
    let lines: Vec<String> = page.lines().take(rows).map(|line| line.chars().take(columns).collect()).collect();
    format!("\x1b[H{}\x1b[K\x1b[J", lines.join("\x1b[K\r\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_fits_the_terminal_and_clears_what_was_there() {
        assert_eq!(fitted("one\ntwo and more\nthree\n", 2, 3), "\x1b[Hone\x1b[K\r\ntwo\x1b[K\x1b[J");
        assert_eq!(fitted("", 24, 80), "\x1b[H\x1b[K\x1b[J");
    }
}
