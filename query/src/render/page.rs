//! Text for a terminal: lines of a bearable width, and nothing in them that moves the cursor. Takes
//! sentences and values from anywhere, gives lines; the layout is its callers'.

/// Letters of a line before it is broken.
const WIDTH: usize = 110;

/// A text on one line: control characters, which may come from outside, become spaces.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A sentence broken between words, each line after the first behind `indent` spaces; `used` are
/// the letters that stand before it on its first line.
pub(crate) fn wrapped(text: &str, used: usize, indent: usize) -> String {
    let mut out = String::new();
    let mut column = used;
    for (number, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if number > 0 && column + 1 + length > WIDTH {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else if number > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_keep_every_word() {
        let text = "word ".repeat(60);
        let broken = wrapped(text.trim(), 20, 4);
        assert!(broken.lines().count() > 2);
        assert!(broken.lines().all(|line| line.chars().count() <= WIDTH));
        assert!(broken.lines().skip(1).all(|line| line.starts_with("    word")));
        let words: Vec<_> = broken.split_whitespace().collect();
        assert_eq!(words.len(), 60);
        // A word that fits nowhere stands alone.
        let long = "x".repeat(200);
        assert_eq!(wrapped(&format!("a {long} b"), 0, 2), format!("a\n  {long}\n  b"));
    }

    #[test]
    fn what_moves_the_cursor_becomes_a_space() {
        assert_eq!(one_line("a\u{1b}[2Jb\nc"), "a [2Jb c");
    }
}
