//! The processes of the demo: most started from this very program, watched, and ended with it.
//!
//! Law: none outlives the demo. They are awaited, or killed by id and awaited, when the cast is dropped; and if
//! the demo itself is killed, the kernel tells them.

use crate::exit::{Exit, Failed};
use anyhow::Context;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use serde::de::DeserializeOwned;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

/// What every process of the demo is told.
#[derive(clap::Args, Debug)]
pub(crate) struct MemberArgs {
    /// The ring.
    #[arg(long)]
    ring: String,
    /// The process that started it.
    #[arg(long)]
    parent: u32,
}

impl MemberArgs {
    pub(super) fn ring(&self) -> &str {
        &self.ring
    }

    /// Asks for SIGTERM when the process that started this one dies.
    pub(super) fn tie_to_parent(&self) -> anyhow::Result<()> {
        set_parent_process_death_signal(Some(Signal::TERM))
            .context("asking for word of the parent's death")?;
        let parent = getppid().map_or(0, |pid| Pid::as_raw_nonzero(pid).get());
        // It may have died before the kernel was asked.
        anyhow::ensure!(
            u32::try_from(parent) == Ok(self.parent),
            "the process that started this one is gone"
        );
        Ok(())
    }
}

/// Processes, in the order in which they were started.
#[derive(Default)]
pub(super) struct Cast {
    members: Vec<Member>,
}

struct Member {
    name: String,
    child: Child,
    /// Reads what it says, so that it never waits for us.
    said: Option<JoinHandle<io::Result<String>>>,
    ended: Option<ExitStatus>,
}

impl Cast {
    /// Starts this program anew with `args`; returns the process's id.
    pub(super) fn start(&mut self, name: &str, args: &[String]) -> anyhow::Result<u32> {
        let program = std::env::current_exe().context("finding this program's file")?;
        self.start_program(name, &program, args)
    }

    /// Starts any program with `args`; returns the process's id.
    pub(super) fn start_program(
        &mut self,
        name: &str,
        program: &Path,
        args: &[String],
    ) -> anyhow::Result<u32> {
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting the {name} process, {}", program.display()))?;
        let stdout = child.stdout.take();
        let said = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.map_or(Ok(0), |mut stdout| stdout.read_to_string(&mut text))?;
            Ok(text)
        });
        let id = child.id();
        self.members.push(Member { name: name.to_owned(), child, said: Some(said), ended: None });
        Ok(id)
    }

    /// Whether all have ended.
    ///
    /// # Errors
    /// If one has failed.
    pub(super) fn have_ended(&mut self) -> anyhow::Result<bool> {
        for member in self.members.iter_mut().filter(|member| member.ended.is_none()) {
            member.ended = member
                .child
                .try_wait()
                .with_context(|| format!("waiting for the {} process", member.name))?;
            if let Some(status) = member.ended.filter(|status| !status.success()) {
                let message = format!("the {} process failed: {status}", member.name);
                return Err(Failed::new(Exit::Failure, message).into());
            }
        }
        Ok(self.members.iter().all(|member| member.ended.is_some()))
    }

    /// What the process `name` said, once it has ended.
    pub(super) fn report<T: DeserializeOwned>(&mut self, name: &str) -> anyhow::Result<T> {
        let what = || format!("the report of the {name} process");
        let member = self.members.iter_mut().find(|member| member.name == name);
        let said = member.and_then(|member| member.said.take()).with_context(what)?;
        let text = match said.join() {
            Ok(text) => text.with_context(what)?,
            Err(_) => anyhow::bail!("{}: its thread panicked", what()),
        };
        serde_json::from_str(&text).with_context(what)
    }
}

impl Drop for Cast {
    fn drop(&mut self) {
        for member in self.members.iter_mut().filter(|member| member.ended.is_none()) {
            // Fails only if it has ended, and then there is nothing to do but to wait for it.
            let _ = member.child.kill();
            let _ = member.child.wait();
        }
    }
}
