//! Where lines go. The one place of the program that writes to stdout and stderr.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A stream of lines that nobody has to read: once it is closed, what is written is dropped.
pub struct Output {
    inner: Mutex<Inner>,
}

struct Inner {
    writer: Box<dyn Write + Send>,
    closed: bool,
    /// What stopped the writing, where that was not simply a reader who went away.
    failure: Option<String>,
}

impl Output {
    /// Lines to this writer.
    pub fn to(writer: impl Write + Send + 'static) -> Self {
        let writer: Box<dyn Write + Send> = Box::new(writer);
        Self { inner: Mutex::new(Inner { writer, closed: false, failure: None }) }
    }

    /// The process's standard output.
    pub fn stdout() -> Self {
        Self::to(io::stdout())
    }

    /// The process's standard error.
    pub fn stderr() -> Self {
        Self::to(io::stderr())
    }

    /// Writes this text and flushes it: who watches a pipe sees it at once.
    pub(super) fn write(&self, text: &str) {
        let mut inner = self.lock();
        if inner.closed {
            return;
        }
        let written = inner.writer.write_all(text.as_bytes()).and_then(|()| inner.writer.flush());
        if let Err(error) = written {
            inner.closed = true;
            if error.kind() != ErrorKind::BrokenPipe {
                inner.failure = Some(error.to_string());
            }
        }
    }

    /// What stopped the writing, once; a closed pipe is not worth a word.
    pub(super) fn take_failure(&self) -> Option<String> {
        self.lock().failure.take()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Standard output for what is data and no screen: an export. Written as it comes, and a reader who
/// goes away is an error of the writing.
pub fn raw_output() -> impl Write {
    io::stdout().lock()
}

/// Standard output as a file of its own, for whoever names it by a path.
pub fn standard_output() -> io::Result<File> {
    Ok(io::stdout().as_fd().try_clone_to_owned()?.into())
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod capture {
    //! An output that tests can read.

    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::Output;

    /// What was written so far.
    #[derive(Debug, Clone, Default)]
    pub(in crate::view) struct Capture(Arc<Mutex<Vec<u8>>>);

    impl Capture {
        pub(in crate::view) fn output(&self) -> Output {
            Output::to(self.clone())
        }

        pub(in crate::view) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Capture {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Closed(ErrorKind);

    impl Write for Closed {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_silence_and_a_full_disk_is_said_once() {
        let pipe = Output::to(Closed(ErrorKind::BrokenPipe));
        pipe.write("x");
        assert_eq!(pipe.take_failure(), None);
        let disk = Output::to(Closed(ErrorKind::StorageFull));
        disk.write("x");
        assert!(disk.take_failure().is_some());
        disk.write("y");
        assert_eq!(disk.take_failure(), None);
    }
}
