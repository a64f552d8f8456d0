//! A context on its way to the engine: written by one thread, read as a stream, never held.

use std::io::{self, Write};

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

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

/// Starts the writer. The stream ends in an error where the tree cannot be sent; the handle says
/// why.
pub(in crate::world::builder) fn start(
    context: Context,
) -> (impl Stream<Item = io::Result<Bytes>> + Send + 'static, JoinHandle<Ended>) {
    let (sender, receiver) = channel(CHUNKS_WAITING);
    let writer = tokio::task::spawn_blocking(move || write(&context, &sender));
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

fn write(context: &Context, sender: &Sender<Chunk>) -> Ended {
    let sent = match context.write(Chunks { sender, waiting: Vec::with_capacity(CHUNK) }) {
        Ok(sent) => sent,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ended::Unwanted,
        Err(error) => {
            let unfit = unfit(error);
            let reached = sender.blocking_send(Err(io::Error::other(unfit.clone())));
            tracing::debug!(reached = reached.is_ok(), "the context is not fit to be sent");
            return Ended::Unfit(unfit);
        }
    };
    match sender.blocking_send(Ok(Bytes::new())) {
        Ok(()) => Ended::Whole(sent),
        Err(_) => Ended::Unwanted,
    }
}

/// Gathers writes into chunks.
struct Chunks<'a> {
    sender: &'a Sender<io::Result<Bytes>>,
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
        self.sender
            .blocking_send(Ok(full.into()))
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}
