//! A client: it writes, remembers what was answered, and judges what is there after a crash.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::mpsc::Sender;

use serde_json::Value;

use crate::draw::Draw;
use crate::objects::Objects;
use crate::op::Op;
use crate::random::Random;
use crate::rpc::{Params, Rpc};

/// Answered requests that may be sent again.
const KEPT: usize = 64;

/// A write as it is sent.
#[derive(Clone, Debug)]
struct Write {
    op: Op,
    params: Params,
    has_token: bool,
}

/// A write that was not answered, what there was before it, and whether it was found done.
struct Unsure {
    write: Write,
    before: Objects,
    done: bool,
}

/// A client over all rounds.
pub struct Client {
    number: u64,
    random: Random,
    count: u64,
    /// What was answered makes this.
    known: Objects,
    /// The write that was not answered.
    open: Option<Write>,
    /// The same, after a look.
    unsure: Option<Unsure>,
    /// Answered writes with a token.
    answered: VecDeque<(Write, Value)>,
    pub tally: Tally,
}

/// Counts of a client, or of many.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Writes that were answered.
    pub answered: u64,
    /// Writes that were not, and were found done, or undone.
    pub done: u64,
    pub undone: u64,
    /// Of the undone, those that were done by sending them again.
    pub redone: u64,
    /// Answered requests that were sent again.
    pub again: u64,
}

impl Tally {
    /// Commits that they were.
    pub fn commits(&self) -> u64 {
        self.answered + self.done + self.redone
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.answered += other.answered;
        self.done += other.done;
        self.undone += other.undone;
        self.redone += other.redone;
        self.again += other.again;
    }
}

impl Client {
    pub fn new(number: u64, seed: u64) -> Self {
        let random = Random::new(seed);
        let (known, answered) = (Objects::default(), VecDeque::new());
        Client { number, random, count: 0, known, open: None, unsure: None, answered, tally: Tally::default() }
    }

    /// Writes until the switch is gone; tells of each answer.
    pub fn storm(&mut self, mut rpc: Rpc, told: &Sender<()>) {
        loop {
            let write = self.draw();
            self.open = Some(write.clone());
            let Some(answer) = send(&mut rpc, &write) else { return };
            self.open = None;
            self.tally.answered += 1;
            write.op.apply(&mut self.known, &answer);
            self.keep(write, answer);
            let _ = told.send(());
        }
    }

    fn draw(&mut self) -> Write {
        let Client { random, known: objects, number: client, count, .. } = self;
        let op = Draw { random, objects, client: *client, count }.op();
        let mut params = op.params(&self.known, self.number);
        let has_token = self.random.one_in(2);
        if has_token {
            params.push(("ClientToken".to_owned(), format!("t-{}-{}", self.number, self.count)));
        }
        Write { op, params, has_token }
    }

    fn keep(&mut self, write: Write, answer: Value) {
        if write.has_token {
            self.answered.push_back((write, answer));
            self.answered.drain(..self.answered.len().saturating_sub(KEPT));
        }
    }

    /// Compares what is listed with what was answered. The write that was not answered is there whole, or not at all.
    pub fn judge(&mut self, found: &Objects) {
        let before = self.known.clone().with_ids_of(found);
        let missing = before.differences(found);
        let Some(write) = self.open.take() else {
            assert!(before == *found, "client {}:\n{missing}", self.number);
            self.known = before;
            return;
        };
        let done = before != *found;
        self.known = before.clone();
        if done {
            write.op.apply(&mut self.known, &Value::Null);
            self.known = std::mem::take(&mut self.known).with_ids_of(found);
            let half = self.known.differences(found);
            let (number, op) = (self.number, &write.op);
            assert!(self.known == *found, "client {number}, without {op:?}:\n{missing}with it:\n{half}");
        }
        self.tally.done += u64::from(done);
        self.tally.undone += u64::from(!done);
        self.unsure = Some(Unsure { write, before, done });
    }

    /// Sends again what was answered, which must be answered the same, and what was not, which must end up done once.
    pub fn send_again(&mut self, rpc: &mut Rpc) {
        let all: Vec<usize> = (0..self.answered.len()).collect();
        let some = [self.random.pick(&all).copied(), all.last().copied()];
        for (write, answer) in some.into_iter().flatten().map(|n| &self.answered[n]) {
            let again = send(rpc, write).expect("the switch is there");
            assert_eq!(again, *answer, "another answer to {write:?}");
            self.tally.again += 1;
        }
        let Some(Unsure { write, before, done }) = self.unsure.take() else { return };
        if !write.has_token {
            return;
        }
        let (answer, mut after) = (send(rpc, &write).expect("the switch is there"), before);
        write.op.apply(&mut after, &answer);
        let after = after.with_ids_of(&self.known);
        assert!(!done || after == self.known, "done twice, or answered wrong: {write:?} {answer}");
        self.known = after;
        self.tally.redone += u64::from(!done);
        self.keep(write, answer);
    }
}

/// The answer, without its id; none when the switch is gone.
fn send(rpc: &mut Rpc, write: &Write) -> Option<Value> {
    loop {
        let answered = match rpc.call(write.op.action(), &write.params) {
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => panic!("no answer: {write:?}"),
            outcome => outcome.ok()?,
        };
        match answered {
            Ok(mut answer) => {
                answer.as_object_mut().unwrap().remove("RequestId");
                return Some(answer);
            }
            // Its last change is on its way to the workers, of which there are none: soon.
            Err(refusal) if refusal.code.starts_with("IncorrectStatus.") => {}
            Err(refusal) => panic!("{write:?}: {refusal:?}"),
        }
    }
}
