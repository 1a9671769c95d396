//! How text is found by parts of it: Chinese has no spaces, so single characters and pairs of neighbours stand in the index.
//!
//! It knows no database: what it makes are words with spaces between them, and a question in the language of SQLite's FTS5.

use std::collections::BTreeSet;

use super::limits;

/// What stands in the index for a text.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Grams {
    /// Each character once.
    pub ones: String,
    /// Pairs of neighbours, in order.
    pub pairs: String,
}

/// The form in which letters are compared: small, of usual width; none for what only separates.
fn folded(char: char) -> Option<char> {
    let narrow = match char {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(char) - 0xfee0).unwrap_or(char),
        _ => char,
    };
    narrow
        .is_alphanumeric()
        .then(|| narrow.to_lowercase().next().unwrap_or(narrow))
}

/// The runs of letters of a text.
fn runs(text: &str, chars_max: usize) -> Vec<Vec<char>> {
    let mut runs = vec![Vec::new()];
    for char in text.chars().take(chars_max) {
        match (folded(char), runs.last_mut()) {
            (Some(char), Some(run)) => run.push(char),
            _ => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

fn pairs_of(run: &[char]) -> impl Iterator<Item = String> + '_ {
    run.windows(2).map(|pair| pair.iter().collect())
}

/// What stands in the index for a text, of which so much is read as `limits` say.
pub fn index(text: &str) -> Grams {
    let runs = runs(text, limits::SEARCH_TEXT_CHARS_MAX);
    let ones: BTreeSet<String> = runs.iter().flatten().map(char::to_string).collect();
    let of_runs = runs.iter().filter(|run| run.len() > 1);
    let pairs: Vec<String> = of_runs
        .map(|run| pairs_of(run).collect::<Vec<_>>().join(" "))
        .collect();
    Grams {
        ones: ones.into_iter().collect::<Vec<_>>().join(" "),
        // No pair is a single character, so no question reaches from one run into the next.
        pairs: pairs.join(" 0 "),
    }
}

/// A run of letters that a person typed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked(Vec<char>);

/// The runs of letters that a person typed: what he looks for contains each of them.
pub fn asked(typed: &str) -> Vec<Asked> {
    runs(typed, limits::SEARCH_CHARS_MAX)
        .into_iter()
        .map(Asked)
        .collect()
}

impl Asked {
    /// The question for texts that contain this run.
    pub fn question(&self) -> String {
        match self.0.as_slice() {
            [one] => format!("ones : \"{one}\""),
            run => {
                let pairs: Vec<String> = pairs_of(run).collect();
                format!("pairs : \"{}\"", pairs.join(" "))
            }
        }
    }

    /// Whether a text contains this run, as the index would say.
    pub fn is_in(&self, text: &str) -> bool {
        runs(text, limits::SEARCH_TEXT_CHARS_MAX)
            .iter()
            .any(|run| run.windows(self.0.len()).any(|part| part == self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stands_there_as_characters_and_pairs() {
        let grams = index("路灯不亮，LED ２盏灯");
        assert_eq!(grams.ones, "2 d e l 不 亮 灯 盏 路");
        assert_eq!(grams.pairs, "路灯 灯不 不亮 0 le ed 0 2盏 盏灯");
    }

    fn questions(typed: &str) -> Vec<String> {
        asked(typed).iter().map(Asked::question).collect()
    }

    #[test]
    fn a_question_asks_for_each_run() {
        assert_eq!(questions("灯"), ["ones : \"灯\""]);
        assert_eq!(
            questions("路灯不 Led"),
            ["pairs : \"路灯 灯不\"", "pairs : \"le ed\""]
        );
        assert_eq!(questions("“”* \" )"), [""; 0]);
        assert_eq!(questions(""), [""; 0]);
    }

    #[test]
    fn what_is_contained_is_found_without_an_index_too() {
        let is_in = |text: &str, typed: &str| asked(typed).iter().all(|run| run.is_in(text));
        assert!(is_in("雨水井盖", "井盖"));
        assert!(is_in("雨水井盖 LED", "led 雨"));
        assert!(!is_in("雨水井盖", "水盖"));
        assert!(!is_in("雨水，井盖", "水井"));
    }

    #[test]
    fn a_long_text_and_a_long_question_are_cut() {
        let grams = index(&"井盖".repeat(limits::SEARCH_TEXT_CHARS_MAX));
        let pairs = grams.pairs.split(' ').count();
        assert_eq!(pairs, limits::SEARCH_TEXT_CHARS_MAX - 1);
        let questions = questions(&"井盖".repeat(limits::SEARCH_CHARS_MAX));
        assert!(questions.concat().len() < 8 * limits::SEARCH_CHARS_MAX);
    }
}
