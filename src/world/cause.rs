//! An error and what is beneath it.

use std::error::Error;

/// An error and everything beneath it, outermost first.
pub(in crate::world) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// An error and everything beneath it, in one line, without saying anything twice.
pub(in crate::world) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for cause in causes(error).map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Layer>>,
    }

    #[test]
    fn a_chain_says_everything_once() {
        let inner = Layer { text: "refused", source: None };
        let same = Layer { text: "refused", source: Some(Box::new(inner)) };
        let outer = Layer { text: "no connection", source: Some(Box::new(same)) };
        assert_eq!(chain(&outer), "no connection: refused");
        assert_eq!(causes(&outer).count(), 3);
    }
}
