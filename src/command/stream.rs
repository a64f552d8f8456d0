//! Which service of the journal is meant, without asking AWS: read commands work offline.

use super::setup::Setup;
use crate::journal::Journal;
use crate::names::StreamName;
use crate::problem::{ExitCode, Problem};

use super::trouble;

/// The stream that the settings mean; `None` where the journal has none of this service.
pub(super) fn choose(journal: &dyn Journal, setup: &Setup) -> Result<Option<StreamName>, Problem> {
    let heads = journal.streams().map_err(|error| trouble::journal(&error, &setup.history))?;
    let all: Vec<StreamName> = heads.into_iter().map(|head| head.stream).collect();
    let wanted = setup.settings.service_name.as_ref();
    let named: Vec<&StreamName> =
        all.iter().filter(|stream| Some(&stream.service) == wanted).collect();
    let region = setup.settings.region.as_ref();
    let here: Vec<&StreamName> =
        named.iter().copied().filter(|stream| Some(&stream.region) == region).collect();
    match (&here[..], &named[..], &all[..]) {
        ([one], _, _) | ([], [one], _) => Ok(Some((*one).clone())),
        // Nothing of this name, and only one service at all: a directory's name is only a guess.
        ([], [], [one]) if setup.service_is_a_guess() => Ok(Some(one.clone())),
        ([], [], []) => Ok(None),
        ([], [], several) if setup.service_is_a_guess() => Err(ambiguous(several.iter())),
        ([], [], _) => Ok(None),
        (several, _, _) if several.len() > 1 => Err(ambiguous(several.iter().copied())),
        (_, several, _) => Err(ambiguous(several.iter().copied())),
    }
}

fn ambiguous<'a>(streams: impl Iterator<Item = &'a StreamName>) -> Problem {
    let what = "the journal holds several services, and it is not clear which is meant";
    let mut problem = Problem::new(ExitCode::Usage, "which-service", what);
    for stream in streams {
        problem = problem.because(format!(
            "{} in {}, account {}",
            stream.service, stream.region, stream.account
        ));
    }
    problem.hint("name it: `--service-name NAME`, and `--region REGION` where needed")
}
