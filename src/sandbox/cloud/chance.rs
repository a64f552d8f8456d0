//! Randomness as a value: the same seed gives the same world.

use serde::{Deserialize, Serialize};

const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const BASE_36: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// A splitmix64 sequence: small, fast and serialisable. Nothing here is secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chance(u64);

impl Chance {
    /// Starts the sequence of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// True in this share of all draws, 0 to 100.
    pub(crate) fn happens(&mut self, percent: u8) -> bool {
        percent >= 100 || self.draw() % 100 < u64::from(percent)
    }

    /// 32 hexadecimal digits, as App Runner's ids are on the wire.
    pub(crate) fn hexadecimal(&mut self) -> String {
        format!("{:016x}{:016x}", self.draw(), self.draw())
    }

    /// A dashed id (version 4), as in request ids and Secrets Manager's version ids.
    pub fn dashed(&mut self) -> String {
        let digits = self.hexadecimal();
        format!(
            "{}-{}-4{}-a{}-{}",
            &digits[0..8],
            &digits[8..12],
            &digits[13..16],
            &digits[17..20],
            &digits[20..32]
        )
    }

    /// Ten characters of a service address.
    pub(crate) fn address(&mut self) -> String {
        self.letters(BASE_36, 10)
    }

    /// The six characters that end a secret's ARN.
    pub(crate) fn suffix(&mut self) -> String {
        self.letters(ALPHANUMERIC, 6)
    }

    /// An id in IAM's form, such as `AROA` and seventeen capitals or digits.
    pub(crate) fn unique(&mut self, prefix: &str) -> String {
        format!("{prefix}{}", self.letters(BASE_36, 17).to_uppercase())
    }

    fn letters(&mut self, alphabet: &[u8], count: usize) -> String {
        let size = alphabet.len() as u64;
        (0..count)
            .map(|_| {
                let at = usize::try_from(self.draw() % size).expect("an alphabet is small");
                char::from(alphabet[at])
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_sequence() {
        let (mut one, mut two) = (Chance::new(7), Chance::new(7));
        assert_eq!(one.hexadecimal(), two.hexadecimal());
        assert_ne!(one.hexadecimal(), Chance::new(8).hexadecimal());
    }

    #[test]
    fn ids_have_the_forms_of_the_real_ones() {
        let mut chance = Chance::new(1);
        assert_eq!(chance.hexadecimal().len(), 32);
        assert_eq!(chance.dashed().len(), 36);
        assert_eq!(chance.address().len(), 10);
        assert_eq!(chance.suffix().len(), 6);
        assert_eq!(chance.unique("AROA").len(), 21);
    }

    #[test]
    fn shares_are_kept() {
        let mut chance = Chance::new(3);
        let hits = (0..10_000).filter(|_| chance.happens(20)).count();
        assert!((1_700..2_300).contains(&hits), "{hits}");
        assert!((0..100).all(|_| chance.happens(100)));
        assert!(!(0..100).any(|_| chance.happens(0)));
    }
}
