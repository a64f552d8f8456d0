//! How deployed programs answer from outside.

/// A program's manners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Application {
    /// It answers well.
    #[default]
    Well,
    /// It answers 500.
    Sick,
    /// It answers 500 and 200 in turns, by the second.
    Moody,
}

impl Application {
    /// The status it answers with at a moment.
    pub(super) fn status(self, at: i64) -> u16 {
        let well = match self {
            Self::Well => true,
            Self::Sick => false,
            Self::Moody => at / 1_000 % 2 == 0,
        };
        if well { 200 } else { 500 }
    }
}
