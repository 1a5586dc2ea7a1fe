//! Actors in Python: `tests/python/actor.py`, run by the Python of `.venv` with the package as `make python-dev` puts it
//! there.
//!
//! Law: as of [`cpp`](crate::cpp), with `QADATASWAP_REQUIRE_PYTHON=1`.

use crate::cpp::workspace;
use crate::crossing::Language;
use crate::{Actor, Role, skip};
use std::process::Command;
use std::sync::LazyLock;

/// What can start actors in Python.
#[derive(Clone, Copy, Debug)]
pub struct Python(());

/// The interpreter, which finds the package where it is worked on.
fn interpreter() -> Command {
    let mut command = Command::new(workspace().join(".venv/bin/python"));
    command.env("PYTHONPATH", workspace().join("bridge/python/python"));
    command
}

impl Python {
    /// Whether there is a Python that has the package and pyarrow; `None`, and a word about it, if not.
    ///
    /// # Panics
    /// If there is none and has to be.
    #[must_use]
    pub fn ready() -> Option<Python> {
        static READY: LazyLock<Result<(), String>> = LazyLock::new(|| {
            let imports = interpreter().args(["-c", "import qadataswap, pyarrow, polars"]).output();
            match imports {
                Ok(output) if output.status.success() => Ok(()),
                Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
                Err(error) => Err(format!("there is no Python in .venv: {error}")),
            }
        });
        match &*READY {
            Ok(()) => Some(Python(())),
            Err(missing) if std::env::var_os("QADATASWAP_REQUIRE_PYTHON").is_some_and(|word| word == "1") => {
                panic!("{missing}, but QADATASWAP_REQUIRE_PYTHON says that there must be")
            }
            Err(missing) => {
                skip(&format!("{missing}: run `make python-dev` to test Python against the others"));
                None
            }
        }
    }
}

impl Python {
    /// Runs a script of `tests/python` to its end.
    ///
    /// # Errors
    /// What it has to say if it fails.
    ///
    /// # Panics
    /// If the interpreter cannot be started.
    pub fn run(self, script: &str, arguments: &[&str]) -> Result<(), String> {
        let script = workspace().join("tests/python").join(script);
        let output = interpreter().arg(script).args(arguments).output().expect("it was just there");
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
}

impl Language for Python {
    fn start(&self, role: &Role) -> Actor {
        let mut command = interpreter();
        command.arg(workspace().join("tests/python/actor.py"));
        Actor::start_by(command, role).expect("the interpreter was just there")
    }
}
