//! What is to go wrong at this door, and how often.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use http::{Method, Response, StatusCode};

use super::answers;
use super::path::{Place, Target};

/// One thing that goes wrong, a number of times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OciFault {
    /// The connection breaks after so many bytes of a blob's upload.
    DropUploadAfter {
        /// Bytes of one request that still arrive.
        bytes: u64,
        /// How many uploads break.
        times: u32,
    },
    /// Requests for blobs are answered with this status.
    FailBlobs {
        /// Such as 503.
        status: u16,
        /// How many requests fail.
        times: u32,
    },
    /// Pushes of manifests are answered with this status.
    FailManifests {
        /// Such as 500.
        status: u16,
        /// How many requests fail.
        times: u32,
    },
    /// Each chunk of an upload waits.
    Slow {
        /// Pause before each chunk.
        pause: Duration,
        /// How many chunks wait.
        times: u32,
    },
}

impl OciFault {
    fn cut(&self) -> Option<u64> {
        match self {
            Self::DropUploadAfter { bytes, .. } => Some(*bytes),
            _ => None,
        }
    }

    fn left(&mut self) -> &mut u32 {
        match self {
            Self::DropUploadAfter { times, .. }
            | Self::FailBlobs { times, .. }
            | Self::FailManifests { times, .. }
            | Self::Slow { times, .. } => times,
        }
    }
}

/// The faults that are still to come; a clone is the same list.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Vec<OciFault>>>);

impl Faults {
    /// Adds a fault behind those that wait already.
    pub fn inject(&self, fault: OciFault) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    /// Uses up one occurrence of the first fault that is chosen.
    fn take<T>(&self, choose: impl Fn(&OciFault) -> Option<T>) -> Option<T> {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = faults.iter().position(|fault| choose(fault).is_some())?;
        let chosen = choose(&faults[place]);
        let left = faults[place].left();
        *left = left.saturating_sub(1);
        if *left == 0 {
            faults.remove(place);
        }
        chosen
    }

    pub(super) fn answer(&self, target: &Target, method: &Method) -> Option<Response<Body>> {
        let status = match &target.place {
            Place::Blob(_) | Place::Uploads | Place::Upload(_) => self.take(|fault| match fault {
                OciFault::FailBlobs { status, .. } => Some(*status),
                _ => None,
            }),
            Place::Manifest(_) if method == Method::PUT => self.take(|fault| match fault {
                OciFault::FailManifests { status, .. } => Some(*status),
                _ => None,
            }),
            _ => None,
        }?;
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        Some(answers::error(status, "UNKNOWN", "the sandbox was asked to fail here"))
    }

    /// After how many bytes of a request an upload would break.
    pub(super) fn cut(&self) -> Option<u64> {
        let faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        faults.iter().find_map(OciFault::cut)
    }

    /// An upload got that far: whether it breaks. Shorter uploads use nothing up.
    pub(super) fn breaks_here(&self) -> bool {
        self.take(OciFault::cut).is_some()
    }

    #[expect(clippy::disallowed_methods, reason = "a slow network is slow in real time")]
    pub(super) async fn drag(&self) {
        let pause = self.take(|fault| match fault {
            OciFault::Slow { pause, .. } => Some(*pause),
            _ => None,
        });
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
    }
}
