//! Connections are few, and whoever makes us wait makes room: with all seats taken, a newcomer gets the seat of the
//! connection that has sent nothing whole for the longest time. A request that is being done keeps its seat.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// All seats.
pub(super) struct Connections {
    limit: usize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    /// Counts up: names seats, and orders those who wait.
    turn: u64,
    seats: HashMap<u64, Place>,
    /// Who has waited since which turn.
    waiting: BTreeMap<u64, u64>,
}

struct Place {
    /// None while a request is being done.
    waits_since: Option<u64>,
    evicted: Arc<Notify>,
}

impl Table {
    fn next_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }

    fn remove(&mut self, id: u64) {
        if let Some(turn) = self.seats.remove(&id).and_then(|place| place.waits_since) {
            self.waiting.remove(&turn);
        }
    }

    /// False when the seat was given to another.
    fn set_waiting(&mut self, id: u64, waits: bool) -> bool {
        let turn = self.next_turn();
        let Some(place) = self.seats.get_mut(&id) else { return false };
        let since = std::mem::replace(&mut place.waits_since, waits.then_some(turn));
        since.map(|turn| self.waiting.remove(&turn));
        if waits {
            self.waiting.insert(turn, id);
        }
        true
    }
}

/// A connection's seat; it is free again when this is dropped.
pub(super) struct Seat {
    connections: Arc<Connections>,
    id: u64,
    evicted: Arc<Notify>,
}

/// While this lives, a request is being done.
pub(super) struct Busy(Arc<Seat>);

impl Connections {
    /// So many seats.
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Connections { limit, table: Mutex::default() })
    }

    /// A seat, if need be that of whoever waits for the longest time. None while all are busy.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Arc<Seat>> {
        let mut table = self.table.lock();
        if table.seats.len() >= self.limit {
            let (_, slowest) = table.waiting.pop_first()?;
            table.seats.remove(&slowest).inspect(|place| place.evicted.notify_one());
        }
        let (id, evicted) = (table.next_turn(), Arc::new(Notify::new()));
        table.seats.insert(id, Place { waits_since: Some(id), evicted: evicted.clone() });
        table.waiting.insert(id, id);
        Some(Arc::new(Seat { connections: self.clone(), id, evicted }))
    }

    /// Takes the seats of all who wait.
    pub(super) fn evict_waiting(&self) {
        let mut table = self.table.lock();
        for id in std::mem::take(&mut table.waiting).into_values() {
            table.seats.remove(&id).inspect(|place| place.evicted.notify_one());
        }
    }
}

impl Seat {
    /// When the seat is given to another.
    pub(super) async fn evicted(&self) {
        self.evicted.notified().await;
    }

    /// Keeps the seat while a request is being done. None when it was given away before.
    pub(super) fn begin(self: &Arc<Self>) -> Option<Busy> {
        self.connections.table.lock().set_waiting(self.id, false).then(|| Busy(self.clone()))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.connections.table.lock().remove(self.id);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.connections.table.lock().set_waiting(self.0.id, true);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn gone(seat: &Arc<Seat>) -> bool {
        seat.begin().is_none()
    }

    #[test]
    fn the_longest_wait_makes_room() {
        let connections = Connections::new(2);
        let (a, b) = (connections.enter().unwrap(), connections.enter().unwrap());
        drop(a.begin().unwrap());
        let c = connections.enter().unwrap();
        assert!(gone(&b), "b waited longer than a, who has just been served");
        assert!(!gone(&a) && !gone(&c));
        drop(c);
        let _d = connections.enter().unwrap();
        assert!(!gone(&a), "there was a free seat");
    }

    #[test]
    fn the_busy_keep_their_seats() {
        let connections = Connections::new(2);
        let (a, b) = (connections.enter().unwrap(), connections.enter().unwrap());
        let busy = (a.begin().unwrap(), b.begin().unwrap());
        assert!(connections.enter().is_none());
        drop(busy.1);
        let c = connections.enter().unwrap();
        assert!(gone(&b));
        connections.evict_waiting();
        assert!(gone(&c));
        drop((busy.0, a, b, c));
        let table = connections.table.lock();
        assert!(table.seats.is_empty() && table.waiting.is_empty());
    }
}
