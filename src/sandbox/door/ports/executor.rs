//! Runs processes under virtual time: whoever has something to do is polled; when all wait, time
//! jumps to the first of them.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::{Door, Machine};

/// A process, waiting or running.
pub type Process<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Starts the next process of a machine; none where it has no more to do.
pub type Spawn<'a, T> = Box<dyn FnMut(Option<Ended<T>>) -> Option<Process<'a, T>> + 'a>;

/// One machine and the processes that run on it, one after the other.
pub struct Task<'a, T> {
    machine: Machine,
    spawn: Spawn<'a, T>,
    process: Option<Process<'a, T>>,
    done: bool,
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended<T> {
    /// By itself.
    With(T),
    /// With the power of its machine.
    PowerCut,
    /// It waits for something that never comes.
    Stuck,
}

impl<'a, T> Task<'a, T> {
    /// The processes of a machine: `spawn` is told how the last one ended.
    pub fn new(machine: &Machine, spawn: Spawn<'a, T>) -> Self {
        let mut task = Self { machine: machine.clone(), spawn, process: None, done: false };
        task.start(None);
        task
    }

    fn start(&mut self, ended: Option<Ended<T>>) {
        self.machine.power_up();
        self.process = (self.spawn)(ended);
        self.done = self.process.is_none();
    }

    /// Polls it where it has something to do; true where that was so.
    fn turn(&mut self, now: i64) -> bool {
        let Some(process) = &mut self.process else { return false };
        if self.machine.has_power() && self.machine.waiting().is_some_and(|at| at > now) {
            return false;
        }
        self.machine.wake();
        let polled = process.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let ended = match polled {
            // What a process says when its power goes is heard by nobody.
            _ if !self.machine.has_power() => Ended::PowerCut,
            Poll::Ready(value) => Ended::With(value),
            Poll::Pending if self.machine.waiting().is_none() => Ended::Stuck,
            Poll::Pending => return true,
        };
        self.process = None;
        self.start(Some(ended));
        true
    }
}

/// Runs one process to its end.
pub fn run_one<T>(machine: &Machine, process: impl Future<Output = T>) -> Ended<T> {
    let mut only: Option<Process<'_, T>> = Some(Box::pin(process));
    let mut last = None;
    let spawn: Spawn<'_, T> = Box::new(|ended| {
        last = ended;
        only.take()
    });
    run_all(machine.door(), vec![Task::new(machine, spawn)]);
    last.unwrap_or(Ended::Stuck)
}

/// Runs several machines side by side until none has anything to do. The order is a function of the
/// world alone.
pub fn run_all<T>(door: &Door, mut tasks: Vec<Task<'_, T>>) {
    loop {
        let now = door.now();
        let mut moved = false;
        for task in &mut tasks {
            moved |= task.turn(now);
        }
        if moved {
            continue;
        }
        let waiting = tasks.iter().filter(|task| !task.done);
        let Some(next) = waiting.filter_map(|task| task.machine.waiting()).min() else { break };
        door.state().reach(next);
    }
}
