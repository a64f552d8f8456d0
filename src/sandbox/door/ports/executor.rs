//! Runs processes under virtual time: whoever has something to do is polled; when all wait, time
//! jumps to the first of them.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::{Door, Machine};

/// A process on a machine.
pub struct Task<'a, T> {
    machine: Machine,
    process: Option<Pin<Box<dyn Future<Output = T> + 'a>>>,
    ended: Option<Ended<T>>,
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
    /// A process that is about to run on a machine.
    pub fn new(machine: &Machine, process: impl Future<Output = T> + 'a) -> Self {
        machine.power_up();
        Self { machine: machine.clone(), process: Some(Box::pin(process)), ended: None }
    }

    /// Polls it where it has something to do; true where that was so.
    fn turn(&mut self, now: i64) -> bool {
        let Some(process) = &mut self.process else { return false };
        if self.machine.has_power() && self.machine.waiting().is_some_and(|at| at > now) {
            return false;
        }
        self.machine.wake();
        let polled = process.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        match polled {
            Poll::Ready(value) => self.end(Ended::With(value)),
            Poll::Pending if !self.machine.has_power() => self.end(Ended::PowerCut),
            Poll::Pending if self.machine.waiting().is_none() => self.end(Ended::Stuck),
            Poll::Pending => {}
        }
        true
    }

    fn end(&mut self, ended: Ended<T>) {
        self.process = None;
        self.ended = Some(ended);
    }
}

/// Runs one process to its end.
pub fn run_one<T>(machine: &Machine, process: impl Future<Output = T>) -> Ended<T> {
    let mut ended = run_all(machine.door(), vec![Task::new(machine, process)]);
    ended.pop().expect("one process has one end")
}

/// Runs several processes side by side, each to its end. The order is a function of the world alone.
pub fn run_all<T>(door: &Door, mut tasks: Vec<Task<'_, T>>) -> Vec<Ended<T>> {
    loop {
        let now = door.now();
        let mut moved = false;
        for task in &mut tasks {
            moved |= task.turn(now);
        }
        if moved {
            continue;
        }
        let waiting = tasks.iter().filter(|task| task.process.is_some());
        let Some(next) = waiting.filter_map(|task| task.machine.waiting()).min() else { break };
        door.state().reach(next);
    }
    tasks.into_iter().map(|task| task.ended.unwrap_or(Ended::Stuck)).collect()
}
