//! One trial of the matrix as one word, so that a failing one is a command:
//! `Update/17:LostAfter/23:CutBefore`, and `+lag` behind the situation where answers lag.

use std::fmt;
use std::str::FromStr;

use super::super::door::ports::Mishap;
use super::matrix::{Terrain, Trial, trial_on};
use super::situation::Situation;
use crate::world::Obstacle;

/// One trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The situation.
    pub situation: Situation,
    /// Whether answers lag.
    pub lags: bool,
    /// What strikes at which moment.
    pub strikes: Vec<(u64, Mishap)>,
}

/// A word that is no trial.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no trial is named {0}")]
pub struct NoSuchTrial(String);

/// What ends the word of a situation where answers lag.
const LAG: &str = "+lag";

/// Every mishap of the matrix by its name.
const NAMES: [(&str, Mishap); 14] = [
    ("CutBefore", Mishap::CutBefore),
    ("CutAfter", Mishap::CutAfter),
    ("Refused", Mishap::Refused),
    ("LostBefore", Mishap::LostBefore),
    ("LostAfter", Mishap::LostAfter),
    ("BrokenBefore", Mishap::BrokenBefore),
    ("BrokenAfter", Mishap::BrokenAfter),
    ("Network", Mishap::Unreachable(Obstacle::Network)),
    ("Throttled", Mishap::Unreachable(Obstacle::Throttled)),
    ("ExpiredCredentials", Mishap::Unreachable(Obstacle::ExpiredCredentials)),
    ("Maintenance", Mishap::Maintenance(300_000)),
    ("Signal", Mishap::Signal),
    ("Full", Mishap::Full),
    ("Zombie", Mishap::Zombie(20_000)),
];

impl Script {
    /// Runs it.
    pub fn run(&self) -> Trial {
        let terrain = if self.lags { Terrain::lagging() } else { Terrain::default() };
        trial_on(&terrain, self.situation, &self.strikes)
    }

    /// The command that runs it alone.
    pub fn command(&self) -> String {
        format!("cargo run --profile proof --example simulate -- --trial {self}")
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}{}", self.situation, if self.lags { LAG } else { "" })?;
        for (number, mishap) in &self.strikes {
            let name = NAMES.iter().find(|(_, named)| named == mishap).map(|(name, _)| *name);
            write!(f, "/{number}:{}", name.unwrap_or("?"))?;
        }
        Ok(())
    }
}

impl FromStr for Script {
    type Err = NoSuchTrial;

    fn from_str(text: &str) -> Result<Self, NoSuchTrial> {
        let unknown = || NoSuchTrial(text.to_owned());
        let mut parts = text.split('/');
        let first = parts.next().unwrap_or_default();
        let (word, lags) = first.strip_suffix(LAG).map_or((first, false), |word| (word, true));
        let situation = Situation::ALL.into_iter().find(|one| format!("{one:?}") == word);
        let strike = |part: &str| {
            let (number, word) = part.split_once(':')?;
            let (_, mishap) = NAMES.iter().find(|(name, _)| *name == word)?;
            Some((number.parse().ok()?, *mishap))
        };
        let strikes = parts.map(strike).collect::<Option<_>>().ok_or_else(unknown)?;
        Ok(Self { situation: situation.ok_or_else(unknown)?, lags, strikes })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::door::ports::{Kind, Moment};
    use super::super::matrix::mishaps;
    use super::*;

    #[test]
    fn every_trial_of_the_matrix_is_a_word_and_back() {
        for kind in [Kind::Read, Kind::Change, Kind::Append] {
            let moment = Moment { number: 17, kind, call: "ListServices", at: 0 };
            for mishap in mishaps(&moment) {
                let strikes = vec![(17, mishap), (23, Mishap::CutBefore)];
                let script = Script { situation: Situation::Update, lags: true, strikes };
                assert_eq!(script.to_string().parse(), Ok(script));
            }
        }
        assert!("Update/17:Nonsense".parse::<Script>().is_err());
        assert!("Nothing/17:CutAfter".parse::<Script>().is_err());
    }
}
