//! Actors in C++: their program, built when a test first asks for it.
//!
//! ```text
//! let Some(cpp) = Cpp::ready() else { return };      says why, if it is not
//! let actor = cpp.start(&role);                      as Actor::start
//! ```
//!
//! It is built while tests run and not by a build script, because CMake runs cargo for the core of the C++ library,
//! and that would wait for the cargo that waits for it.
//!
//! Law: where C++ is set up, a program that cannot be built fails the test; with `QADATASWAP_REQUIRE_CPP=1` also
//! a machine where it is not.

use crate::crossing::Language;
use crate::{Actor, Role, skip};
use nix::fcntl::{Flock, FlockArg};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// What can start actors in C++.
#[derive(Clone, Copy, Debug)]
pub struct Cpp {
    program: &'static Path,
}

impl Cpp {
    /// Builds the program unless this process has done so; `None`, and a word about it, if C++ is not set up here.
    ///
    /// # Panics
    /// If it cannot be built, or is not set up and has to be.
    #[must_use]
    pub fn ready() -> Option<Cpp> {
        // A build that fails is not tried again: whoever asks next panics, too.
        static PROGRAM: LazyLock<Result<PathBuf, String>> =
            LazyLock::new(|| tools().map(|path| build(&path)));
        match &*PROGRAM {
            Ok(program) => Some(Cpp { program }),
            Err(missing) if std::env::var_os("QADATASWAP_REQUIRE_CPP").is_some_and(|word| word == "1") => {
                panic!("{missing}, but QADATASWAP_REQUIRE_CPP says that there must be")
            }
            Err(missing) => {
                skip(&format!("{missing}: run `make dev-setup` to test C++ against Rust"));
                None
            }
        }
    }
}

impl Language for Cpp {
    fn start(&self, role: &Role) -> Actor {
        Actor::start_program(self.program, role)
    }
}

pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is in the workspace's folder")
}

/// The search path on which CMake, Ninja and a Python with Arrow C++ are, or what is missing.
fn tools() -> Result<OsString, String> {
    let venv = workspace().join(".venv");
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> =
        std::iter::once(venv.join("bin")).chain(std::env::split_paths(&inherited)).collect();
    for tool in ["cmake", "ninja", "c++"] {
        if !folders.iter().any(|folder| folder.join(tool).is_file()) {
            return Err(format!("there is no {tool}"));
        }
    }
    let versions = std::fs::read_dir(venv.join("lib")).into_iter().flatten().flatten();
    if !versions.into_iter().any(|version| version.path().join("site-packages/pyarrow/include").is_dir()) {
        return Err(format!("there is no Arrow C++ in {}", venv.display()));
    }
    std::env::join_paths(folders).map_err(|error| error.to_string())
}

/// Builds the program with the tools of `path` and returns where it is.
fn build(path: &OsStr) -> PathBuf {
    const NAME: &str = "qadataswap-cpp-actor";
    let profile = crate::actor::program().parent().map(Path::to_owned).expect("a folder of cargo's");
    let folder = profile.parent().expect("cargo's target directory").join("cmake/actor");
    std::fs::create_dir_all(&folder).expect("cargo's target directory can be written to");
    // One test program at a time.
    let lock = std::fs::File::create(folder.join("lock")).expect("as before");
    let _lock = Flock::lock(lock, FlockArg::LockExclusive).expect("a file can be locked");
    let machine = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    // Ninja configures anew whenever that is due.
    let is_configured = folder.join("build/build.ninja").exists();
    cmake::Config::new(workspace())
        .always_configure(!is_configured)
        .host(&machine)
        .target(&machine)
        .out_dir(&folder)
        .generator("Ninja")
        .profile("Debug")
        .no_default_flags(true)
        // Not the crate's own, which turn warnings off.
        .define("CMAKE_C_FLAGS", "")
        .define("CMAKE_CXX_FLAGS", "")
        .define("QADATASWAP_ARROW", "ON")
        .configure_arg("--log-level=WARNING")
        .env("PATH", path)
        .build_target(NAME)
        .build_arg("--quiet")
        .build();
    folder.join("build/cpp/tests").join(NAME)
}
