//! `top`: packet rates, live in a terminal, look by look elsewhere.

mod rates;
mod screen;

use std::time::{Duration, Instant};

use super::client::{CtlError, Daemon};
use super::outcome::Outcome;
use crate::cli::TopArgs;
use crate::terminal;
use rates::{Look, Order, rates, text};
use screen::Screen;

/// Ctrl-C and Esc, which quit like `q`.
const QUIT: [u8; 3] = [b'q', 3, 27];

pub(super) fn run(daemon: Daemon<'_>, args: &TopArgs, json: bool) -> Result<Outcome, CtlError> {
    let interval = Duration::from_secs_f64(args.interval);
    let looks = if args.once { 1 } else { args.count };
    let before = look(daemon)?;
    let screen = if json || looks > 0 { None } else { Screen::open() };
    match screen {
        Some(screen) => live(daemon, &screen, before, interval)?,
        None => print(daemon, before, interval, looks, json)?,
    }
    Ok(Outcome::told())
}

fn look(daemon: Daemon<'_>) -> Result<Look, CtlError> {
    Ok(Look { enis: daemon.get("/v1/enis")?, sessions: daemon.get("/v1/sessions")? })
}

/// So many looks, 0 without end, to a pipe or a file.
fn print(daemon: Daemon<'_>, mut before: Look, interval: Duration, looks: u64, json: bool) -> Result<(), CtlError> {
    let mut started = Instant::now();
    let mut n = 0;
    while looks == 0 || n < looks {
        std::thread::sleep(interval);
        let now = look(daemon)?;
        let rates = rates(&before, &now, started.elapsed().as_secs_f64());
        (before, started) = (now, Instant::now());
        let shown = if json { format!("{rates:#}\n") } else { text(&rates, Order::default()) };
        if !terminal::write(&shown)? {
            return Ok(());
        }
        n += 1;
    }
    Ok(())
}

/// Until a key quits.
fn live(daemon: Daemon<'_>, screen: &Screen, mut before: Look, interval: Duration) -> Result<(), CtlError> {
    let (mut started, mut order) = (Instant::now(), Order::default());
    let mut shown = rates(&before, &before, interval.as_secs_f64());
    loop {
        screen.draw(&page(&shown, order, interval))?;
        match screen.key(interval.saturating_sub(started.elapsed())) {
            Some(key) if QUIT.contains(&key) => return Ok(()),
            Some(key) => order = Order::of_key(key).unwrap_or(order),
            None => {
                let now = look(daemon)?;
                shown = rates(&before, &now, started.elapsed().as_secs_f64());
                (before, started) = (now, Instant::now());
            }
        }
    }
}

fn page(shown: &serde_json::Value, order: Order, interval: Duration) -> String {
    let by = match order {
        Order::Both => "all",
        Order::Rx => "rx",
        Order::Tx => "tx",
        Order::Drops => "drops",
    };
    let head =
        format!("every {} s, largest {by} first; keys: a all, r rx, t tx, d drops, q quit", interval.as_secs_f64());
    format!("{head}\n\n{}", text(shown, order))
}
