//! Splits App Runner's `StartCommand` into words.
//!
//! App Runner takes one string and runs it without a shell: quotes and backslashes group words as
//! a shell would, variables and pipes mean nothing.

/// The words of a command line; an open quote runs to the end.
pub(crate) fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = command.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '\'' => {
                let quoted: String =
                    letters.by_ref().take_while(|letter| *letter != '\'').collect();
                word.get_or_insert_default().push_str(&quoted);
            }
            '"' => double_quoted(&mut letters, word.get_or_insert_default()),
            '\\' => word.get_or_insert_default().extend(letters.next()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

fn double_quoted(letters: &mut std::str::Chars<'_>, word: &mut String) {
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return,
            '\\' => match letters.next() {
                Some(escaped @ ('"' | '\\' | '$' | '`')) => word.push(escaped),
                Some(other) => word.extend(['\\', other]),
                None => word.push('\\'),
            },
            other => word.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn words_are_split_as_a_shell_would_and_nothing_is_expanded() {
        for (line, expected) in [
            ("python app.py", vec!["python", "app.py"]),
            ("  a   b\t", vec!["a", "b"]),
            (r#"sh -c "echo 'a b' $X""#, vec!["sh", "-c", "echo 'a b' $X"]),
            (r#"a 'b c'd "" e\ f"#, vec!["a", "b cd", "", "e f"]),
            (r#""a\"b\\c\n""#, vec![r#"a"b\c\n"#]),
            ("'open quote", vec!["open quote"]),
            ("", vec![]),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
    }
}
