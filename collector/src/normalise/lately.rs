//! What names that no list has were lately found to say: libraries hang the same ones on every item,
//! and to find that a name is in no list costs more than all else about it. Owns a table of fixed
//! size, in which a name takes the place of another that falls on it; it holds no values.

use xxhash_rust::xxh3::xxh3_64;

use super::bag;
use super::content::{self, ContentKind};
use super::unlisted;
use crate::limits::{NAMES_LATELY_BYTES_MAX, NAMES_LATELY_MAX};

/// What a name that no list has says of its attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unlisted {
    /// That it is content, by its beginning.
    Content(ContentKind),
    /// That it is a bag.
    Bag,
    /// What its words say.
    Name(unlisted::Name),
}

impl Unlisted {
    fn of(key: &str) -> Unlisted {
        match content::by_prefix(key) {
            Some(kind) => Unlisted::Content(kind),
            None if bag::is_bag(key) => Unlisted::Bag,
            None => Unlisted::Name(unlisted::Name::of(key)),
        }
    }
}

/// The names and what they say, by their hash.
#[derive(Debug)]
pub(super) struct Lately(Vec<Option<(Box<str>, Unlisted)>>);

impl Default for Lately {
    fn default() -> Self {
        Self(vec![None; NAMES_LATELY_MAX])
    }
}

impl Lately {
    /// What a name says that no list has.
    pub(super) fn unlisted(&mut self, key: &str) -> Unlisted {
        if key.len() > NAMES_LATELY_BYTES_MAX {
            return Unlisted::of(key);
        }
        let place = &mut self.0[xxh3_64(key.as_bytes()) as usize % NAMES_LATELY_MAX];
        match place {
            Some((known, says)) if **known == *key => *says,
            _ => place.insert((key.into(), Unlisted::of(key))).1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_name_says_does_not_depend_on_what_came_before() {
        // More names than there are places, so that each takes that of others, twice.
        let names = ["llm.prompts", "model_kwargs", "acme.output", "acme.model", "error.message"];
        let names: Vec<String> = (0..NAMES_LATELY_MAX * 2)
            .map(|n| format!("{}.{n}", names[n % names.len()]))
            .chain(names.map(str::to_owned))
            .chain(["x".repeat(NAMES_LATELY_BYTES_MAX + 1)])
            .collect();
        let mut lately = Lately::default();
        for name in names.iter().chain(names.iter().rev()) {
            assert_eq!(lately.unlisted(name), Unlisted::of(name), "{name}");
        }
        let kept = |place: &Option<(Box<str>, _)>| place.as_ref().map_or(0, |(name, _)| name.len());
        assert!(lately.0.iter().all(|place| kept(place) <= NAMES_LATELY_BYTES_MAX));
    }
}
