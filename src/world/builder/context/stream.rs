//! A context on its way to the engine: written by one thread, read as a stream, never held.

use std::io::{self, Write};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Context, Sent, unfit};
use crate::world::WorldError;

/// Bytes handed over at a time.
const CHUNK: usize = 64 * 1024;
/// Chunks that may wait for the network: beyond them the writer stops reading files.
const CHUNKS_WAITING: usize = 8;

/// How the writing of a context ended.
#[derive(Debug)]
pub(in crate::world::builder) enum Ended {
    /// All of it was written.
    Whole(Sent),
    /// Nobody wanted to read on.
    Unwanted,
    /// The tree is not fit to be sent.
    Unfit(WorldError),
}

/// The writer of a context. Dropped, it stops.
#[derive(Debug)]
pub(in crate::world::builder) struct Writer {
    thread: JoinHandle<Ended>,
    stop: DropGuard,
}

impl Writer {
    /// Waits for the end, and after `patience` makes it: an engine that has answered need not have
    /// read everything, and may leave the writer waiting for ever.
    pub(in crate::world::builder) async fn end(
        mut self,
        patience: Duration,
    ) -> Result<Ended, JoinError> {
        if let Ok(ended) = tokio::time::timeout(patience, &mut self.thread).await {
            return ended;
        }
        drop(self.stop);
        self.thread.await
    }
}

/// Starts the writer. The stream ends in an error where the tree cannot be sent; the writer says
/// why.
pub(in crate::world::builder) fn start(
    context: Context,
) -> (impl Stream<Item = io::Result<Bytes>> + Send + 'static, Writer) {
    let (sender, receiver) = channel(CHUNKS_WAITING);
    let stop = CancellationToken::new();
    let out = Out { sender, stop: stop.clone(), runtime: Handle::current() };
    let thread = tokio::task::spawn_blocking(move || write(&context, &out));
    let writer = Writer { thread, stop: stop.drop_guard() };
    (futures_util::stream::unfold(Some(receiver), next), writer)
}

type Chunk = io::Result<Bytes>;

/// An empty chunk is the end. A writer that stops without it has died, and what it left is a
/// cut-off archive that must not be built.
async fn next(receiver: Option<Receiver<Chunk>>) -> Option<(Chunk, Option<Receiver<Chunk>>)> {
    let mut receiver = receiver?;
    match receiver.recv().await {
        Some(Ok(chunk)) if chunk.is_empty() => None,
        Some(Ok(chunk)) => Some((Ok(chunk), Some(receiver))),
        Some(Err(error)) => Some((Err(error), None)),
        None => Some((Err(io::ErrorKind::UnexpectedEof.into()), None)),
    }
}

/// The writer's side of the channel.
struct Out {
    sender: Sender<Chunk>,
    stop: CancellationToken,
    runtime: Handle,
}

impl Out {
    /// Waits until there is room, or nobody wants it.
    fn send(&self, chunk: Chunk) -> io::Result<()> {
        let sent = self.runtime.block_on(async {
            tokio::select! {
                sent = self.sender.send(chunk) => sent.is_ok(),
                () = self.stop.cancelled() => false,
            }
        });
        if sent { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }
}

fn write(context: &Context, out: &Out) -> Ended {
    let written = context.write(Chunks { out, waiting: Vec::with_capacity(CHUNK) });
    match written {
        Ok(sent) => match out.send(Ok(Bytes::new())) {
            Ok(()) => Ended::Whole(sent),
            Err(_) => Ended::Unwanted,
        },
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ended::Unwanted,
        Err(error) => {
            let unfit = unfit(error);
            let told = out.send(Err(io::Error::other(unfit.clone())));
            tracing::debug!(told = told.is_ok(), "the context is not fit to be sent");
            Ended::Unfit(unfit)
        }
    }
}

/// Gathers writes into chunks.
struct Chunks<'a> {
    out: &'a Out,
    waiting: Vec<u8>,
}

impl Write for Chunks<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(CHUNK - self.waiting.len());
        self.waiting.extend_from_slice(&bytes[..count]);
        if self.waiting.len() == CHUNK {
            self.flush()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let full = std::mem::replace(&mut self.waiting, Vec::with_capacity(CHUNK));
        self.out.send(Ok(full.into()))
    }
}
