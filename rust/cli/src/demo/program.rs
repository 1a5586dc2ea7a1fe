//! Programs in other languages that take part in the demo.

use anyhow::Context;
use std::path::PathBuf;
use std::str::FromStr;

/// A program, and what it is written in.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) language: String,
    pub(super) path: PathBuf,
    /// What comes before the arguments that the demo gives it.
    pub(super) arguments: Vec<String>,
}

impl FromStr for Program {
    type Err = anyhow::Error;

    /// `LANGUAGE=PROGRAM ARGUMENT...`
    fn from_str(text: &str) -> anyhow::Result<Program> {
        let (language, command) = text.split_once('=').context("expected LANGUAGE=PROGRAM")?;
        let mut words = command.split_whitespace();
        let path = words.next().context("expected a program behind the '='")?.into();
        Ok(Program { language: language.to_owned(), path, arguments: words.map(str::to_owned).collect() })
    }
}

impl Program {
    /// The name of its process in a part.
    pub(super) fn name(&self, part: &str) -> String {
        format!("{} {part}", self.language)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_a_language_and_a_command() {
        let program: Program = "Python=python3 -u relay.py".parse().expect("well-formed");
        assert_eq!((program.name("relay").as_str(), program.arguments.len()), ("Python relay", 2));
        assert!("relay".parse::<Program>().is_err() && "C=".parse::<Program>().is_err());
    }
}
