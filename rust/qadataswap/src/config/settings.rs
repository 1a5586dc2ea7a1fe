//! What stands outside the program: settings from `qadataswap.yaml` and from the environment.
//!
//! ```yaml
//! memory:
//!   size_mb: 1024           # capacity of all buffers together, in MiB
//!   num_buffers: 3
//! sync:
//!   timeout_ms: 5000        # how long a write waits when the ring is full
//!   retry_count: 3          # and how many times more
//! compression:
//!   enabled: true
//!   algorithm: "lz4"
//! ```
//!
//! Each key is also a variable: `memory.size_mb` is `QADATASWAP_MEMORY_SIZE_MB`.
//!
//! Law: code goes before the environment, the environment before the file, the file before the defaults, key by key;
//! what cannot be understood is an error that says where it stands, never ignored.

use super::{Said, SharedMemoryConfig, Size, WhenFull};
use crate::frame::Compression;
use crate::layout::{MAX_BUFFERS, MAX_READERS};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file that is looked for in the current folder.
pub(crate) const FILE: &str = "qadataswap.yaml";
/// The variable that names another file, or none if it is empty.
pub(crate) const FILE_VARIABLE: &str = "QADATASWAP_CONFIG";
/// The largest configuration that is read, in bytes; real ones have a few hundred.
pub(super) const MOST_BYTES: usize = 1 << 20;
const PREFIX: &str = "QADATASWAP_";

/// A setting that cannot be understood, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct SettingsError {
    place: String,
    what: String,
}

impl SettingsError {
    pub(super) fn new(place: impl Into<String>, what: impl Into<String>) -> SettingsError {
        SettingsError { place: place.into(), what: what.into() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    SizeMb,
    NumBuffers,
    MaxReaders,
    Prefault,
    Directory,
    WhenFull,
    TimeoutMs,
    RetryCount,
    AttachTimeoutMs,
    Enabled,
    Algorithm,
    Level,
}

/// A key's section and name.
const KEYS: [(Key, &str, &str); 12] = [
    (Key::SizeMb, "memory", "size_mb"),
    (Key::NumBuffers, "memory", "num_buffers"),
    (Key::MaxReaders, "memory", "max_readers"),
    (Key::Prefault, "memory", "prefault"),
    (Key::Directory, "memory", "directory"),
    (Key::WhenFull, "sync", "when_full"),
    (Key::TimeoutMs, "sync", "timeout_ms"),
    (Key::RetryCount, "sync", "retry_count"),
    (Key::AttachTimeoutMs, "sync", "attach_timeout_ms"),
    (Key::Enabled, "compression", "enabled"),
    (Key::Algorithm, "compression", "algorithm"),
    (Key::Level, "compression", "level"),
];

/// Words that people look for under another name.
const SYNONYMS: [(&str, &str); 8] = [
    ("buffer_count", "num_buffers"),
    ("buffers", "num_buffers"),
    ("size", "size_mb"),
    ("timeout", "timeout_ms"),
    ("write_timeout_ms", "timeout_ms"),
    ("retries", "retry_count"),
    ("codec", "algorithm"),
    ("path", "directory"),
];

/// A value as it was written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scalar<'a> {
    Whole(i64),
    Real(f64),
    Flag(bool),
    Text(&'a str),
}

/// A value that has been understood.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Bytes(u64),
    Count(u32),
    Flag(bool),
    Folder(PathBuf),
    /// `None` is for ever.
    Time(Option<Duration>),
    Word(&'static str),
    Level(i32),
}

impl Value {
    /// In the key's unit.
    fn shown(&self) -> SettingValue {
        match self {
            Value::Bytes(bytes) => SettingValue::Number(*bytes as f64 / f64::from(1 << 20)),
            Value::Count(count) => SettingValue::Number(f64::from(*count)),
            Value::Flag(flag) => SettingValue::Flag(*flag),
            Value::Folder(folder) => SettingValue::Text(folder.display().to_string()),
            Value::Time(time) => SettingValue::Number(time.map_or(-1.0, |time| time.as_secs_f64() * 1e3)),
            Value::Word(word) => SettingValue::Text((*word).to_owned()),
            Value::Level(level) => SettingValue::Number(f64::from(*level)),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    value: Value,
    source: String,
}

/// What the environment and a file say of rings, and where they say it.
///
/// Handles ask for [`discover`](Settings::discover)ed settings by themselves; this is for looking at them.
///
/// ```
/// use qadataswap::Settings;
/// # #[cfg(feature = "yaml")] {
/// let settings = Settings::from_yaml("memory: { num_buffers: 8 }", "example")?;
/// let setting = settings.iter().next().expect("there is one");
/// assert_eq!((setting.key.as_str(), setting.value.to_string().as_str()), ("memory.num_buffers", "8"));
/// let error = Settings::from_yaml("memory:\n  num_bufers: 8", "example").expect_err("misspelt");
/// assert_eq!(error.to_string(), "example:2: unknown key 'memory.num_bufers'; did you mean 'memory.num_buffers'?");
/// # }
/// # Ok::<(), qadataswap::SettingsError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    entries: BTreeMap<Key, Entry>,
}

/// A setting's value.
#[derive(Clone, Debug, PartialEq)]
pub enum SettingValue {
    /// A number, whole or not.
    Number(f64),
    /// True or false.
    Flag(bool),
    /// A word or a folder.
    Text(String),
}

impl fmt::Display for SettingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingValue::Number(number) => write!(f, "{number}"),
            SettingValue::Flag(flag) => write!(f, "{flag}"),
            SettingValue::Text(text) => f.write_str(text),
        }
    }
}

/// One setting, for people.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Setting {
    /// Section and key, as `memory.size_mb`.
    pub key: String,
    /// The value, in the key's unit.
    pub value: SettingValue,
    /// File and line, or variable.
    pub source: String,
}

impl Settings {
    /// What the environment says, and below it the file that `QADATASWAP_CONFIG` names (none if it is empty) or
    /// `qadataswap.yaml` in the current folder, if there is one.
    ///
    /// # Errors
    /// A key or a value that is not understood; a file that cannot be read.
    pub fn discover() -> Result<Settings, SettingsError> {
        let file = match std::env::var_os(FILE_VARIABLE) {
            Some(path) if path.is_empty() => Settings::default(),
            Some(path) => Settings::from_file(path)?,
            None => Settings::from_file_if_any(Path::new(FILE))?,
        };
        Ok(Settings::from_environment()?.or(file))
    }

    /// What the variables `QADATASWAP_MEMORY_…`, `QADATASWAP_SYNC_…` and `QADATASWAP_COMPRESSION_…` say.
    ///
    /// # Errors
    /// A variable that names no key; a value that is not understood.
    pub fn from_environment() -> Result<Settings, SettingsError> {
        Settings::from_variables(std::env::vars_os())
    }

    /// What a YAML file says.
    ///
    /// # Errors
    /// A key or a value that is not understood, with its line; a file that cannot be read.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Settings, SettingsError> {
        let path = path.as_ref();
        Settings::parse(path, &text_of(path).map_err(|error| unreadable(path, &error))?)
    }

    fn from_file_if_any(path: &Path) -> Result<Settings, SettingsError> {
        match text_of(path) {
            Ok(text) => Settings::parse(path, &text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Settings::default()),
            Err(error) => Err(unreadable(path, &error)),
        }
    }

    #[cfg(feature = "yaml")]
    fn parse(path: &Path, text: &str) -> Result<Settings, SettingsError> {
        Settings::from_yaml(text, &path.display().to_string())
    }

    #[cfg(not(feature = "yaml"))]
    fn parse(path: &Path, _: &str) -> Result<Settings, SettingsError> {
        let what = "this build reads no YAML; enable the feature 'yaml', or set QADATASWAP_CONFIG to nothing";
        Err(SettingsError::new(path.display().to_string(), what))
    }

    fn from_variables(
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Settings, SettingsError> {
        let mut settings = Settings::default();
        for (variable, value) in variables {
            let Some(name) = variable.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
            let name = name.to_ascii_lowercase();
            let Some((section, key)) = sections().find_map(|section| {
                let key = name.strip_prefix(section)?.strip_prefix('_')?;
                Some((section, key))
            }) else {
                continue;
            };
            let place = format!("environment variable {}", variable.display());
            let value = match value.to_str() {
                Some(text) => text.to_owned(),
                None => return Err(SettingsError::new(place, "is not UTF-8")),
            };
            settings.put((section, key), scalar_of(&value), place)?;
        }
        Ok(settings)
    }

    /// These settings, and what they leave unsaid from `lower`.
    #[must_use]
    pub fn or(mut self, lower: Settings) -> Settings {
        for (key, entry) in lower.entries {
            self.entries.entry(key).or_insert(entry);
        }
        self
    }

    /// All settings, in the order of the documentation.
    pub fn iter(&self) -> impl Iterator<Item = Setting> {
        KEYS.iter().filter_map(|(key, section, name)| {
            let Entry { value, source } = self.entries.get(key)?;
            Some(Setting { key: format!("{section}.{name}"), value: value.shown(), source: source.clone() })
        })
    }

    /// The folder of the rings, if it is set.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        match self.get(Key::Directory) {
            Some(Value::Folder(folder)) => Some(folder),
            _ => None,
        }
    }

    /// Takes a setting in.
    pub(super) fn put(
        &mut self,
        (section, name): (&str, &str),
        value: Scalar<'_>,
        source: String,
    ) -> Result<(), SettingsError> {
        let Some((key, ..)) = KEYS.iter().find(|(_, s, n)| (*s, *n) == (section, name)) else {
            return Err(SettingsError::new(source, unknown(section, Some(name))));
        };
        match understand(*key, value) {
            Ok(value) => self.entries.insert(*key, Entry { value, source }),
            Err(expected) => {
                let what = format!("{section}.{name}: expected {expected}, got {value}");
                return Err(SettingsError::new(source, what));
            }
        };
        Ok(())
    }

    fn get(&self, key: Key) -> Option<&Value> {
        self.entries.get(&key).map(|entry| &entry.value)
    }

    /// Fills in what the code has left unsaid.
    pub(super) fn apply(&self, config: &mut SharedMemoryConfig) {
        let said_by_code = config.said;
        let unsaid = |said: Said| !said_by_code.contains(said);
        if let (Some(Value::Bytes(bytes)), true) = (self.get(Key::SizeMb), unsaid(Said::SIZE)) {
            config.size = Size::Total(*bytes);
        }
        if let (Some(Value::Count(count)), true) = (self.get(Key::NumBuffers), unsaid(Said::BUFFERS)) {
            config.buffer_count = *count as usize;
        }
        if let (Some(Value::Count(count)), true) = (self.get(Key::MaxReaders), unsaid(Said::READERS)) {
            config.max_readers = *count as usize;
        }
        if let (Some(Value::Flag(flag)), true) = (self.get(Key::Prefault), unsaid(Said::PREFAULT)) {
            config.prefault = *flag;
        }
        if let (Some(Value::Folder(folder)), true) = (self.get(Key::Directory), unsaid(Said::DIRECTORY)) {
            config.directory.clone_from(folder);
        }
        if let (Some(Value::Count(count)), true) = (self.get(Key::RetryCount), unsaid(Said::RETRIES)) {
            config.retry_count = *count;
        }
        if let (Some(Value::Time(time)), true) =
            (self.get(Key::AttachTimeoutMs), unsaid(Said::ATTACH_TIMEOUT))
        {
            config.attach_timeout = time.unwrap_or(Duration::MAX);
        }
        if unsaid(Said::WHEN_FULL) {
            config.when_full = match self.get(Key::WhenFull) {
                Some(Value::Word("overwrite")) => WhenFull::Overwrite,
                Some(Value::Word("fail")) => WhenFull::Fail,
                _ => config.when_full,
            };
        }
        if let (Some(Value::Time(time)), true) = (self.get(Key::TimeoutMs), unsaid(Said::TIMEOUT)) {
            config.write_timeout = *time;
        }
        if unsaid(Said::COMPRESSION) {
            config.compression = self.compression().unwrap_or(config.compression);
        }
    }

    fn compression(&self) -> Option<Compression> {
        let algorithm = self.get(Key::Algorithm);
        match (self.get(Key::Enabled), algorithm) {
            (None, None) => None,
            (Some(Value::Flag(false)), _) | (_, Some(Value::Word("none"))) => Some(Compression::None),
            (_, Some(Value::Word("zstd"))) => {
                let level = match self.get(Key::Level) {
                    Some(Value::Level(level)) => *level,
                    _ => 3,
                };
                Some(Compression::Zstd { level })
            }
            _ => Some(Compression::Lz4),
        }
    }
}

impl fmt::Display for Scalar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Whole(whole) => write!(f, "{whole}"),
            Scalar::Real(real) => write!(f, "{real}"),
            Scalar::Flag(flag) => write!(f, "{flag}"),
            Scalar::Text(text) => write!(f, "'{text}'"),
        }
    }
}

/// A variable's text as YAML would take it.
fn scalar_of(text: &str) -> Scalar<'_> {
    let text = text.trim();
    if let Ok(whole) = text.parse() {
        Scalar::Whole(whole)
    } else if let Ok(real) = text.parse() {
        Scalar::Real(real)
    } else if let Ok(flag) = text.to_ascii_lowercase().parse() {
        Scalar::Flag(flag)
    } else {
        Scalar::Text(text)
    }
}

/// A key's value, or what is expected of it.
fn understand(key: Key, value: Scalar<'_>) -> Result<Value, &'static str> {
    let count = |least: u32, most: u32, expected| match value {
        Scalar::Whole(whole) => match u32::try_from(whole) {
            Ok(count) if (least..=most).contains(&count) => Ok(Value::Count(count)),
            _ => Err(expected),
        },
        _ => Err(expected),
    };
    let flag = || match value {
        Scalar::Flag(flag) => Ok(Value::Flag(flag)),
        _ => Err("true or false"),
    };
    let word = |words: &[&'static str], expected| match value {
        Scalar::Text(text) => {
            let found = words.iter().find(|word| word.eq_ignore_ascii_case(text));
            found.map(|word| Value::Word(word)).ok_or(expected)
        }
        _ => Err(expected),
    };
    let number = match value {
        Scalar::Whole(whole) => Some(whole as f64),
        Scalar::Real(real) if real.is_finite() => Some(real),
        _ => None,
    };
    match key {
        Key::SizeMb => match number {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within its limits")]
            Some(mebibytes) if mebibytes > 0.0 && mebibytes <= f64::from(1 << 26) => {
                Ok(Value::Bytes((mebibytes * f64::from(1 << 20)).ceil() as u64))
            }
            _ => Err("a number of MiB above 0, at most 67108864"),
        },
        Key::NumBuffers => count(1, MAX_BUFFERS, "a whole number from 1 to 65536"),
        Key::MaxReaders => count(1, MAX_READERS, "a whole number from 1 to 1024"),
        Key::RetryCount => count(0, u32::MAX, "a whole number from 0 on"),
        Key::Prefault | Key::Enabled => flag(),
        Key::Directory => match value {
            Scalar::Text(text) if !text.is_empty() => Ok(Value::Folder(PathBuf::from(OsStr::new(text)))),
            _ => Err("a folder"),
        },
        Key::TimeoutMs | Key::AttachTimeoutMs => match number {
            // A time that no duration holds is for ever, too.
            Some(ms) if ms >= 0.0 => Ok(Value::Time(Duration::try_from_secs_f64(ms / 1e3).ok())),
            Some(-1.0) => Ok(Value::Time(None)),
            _ => Err("a number of milliseconds from 0 on, or -1 for ever"),
        },
        Key::WhenFull => word(&["block", "overwrite", "fail"], "block, overwrite or fail"),
        Key::Algorithm => word(&["lz4", "zstd", "none"], "lz4, zstd or none"),
        Key::Level => match value {
            Scalar::Whole(whole @ 1..=22) => Ok(Value::Level(whole as i32)),
            _ => Err("a whole number from 1 to 22"),
        },
    }
}

/// The names of the sections, each once.
fn sections() -> impl Iterator<Item = &'static str> {
    let mut last = "";
    KEYS.iter().filter_map(move |(_, section, _)| {
        let new = *section != last;
        last = section;
        new.then_some(*section)
    })
}

/// Whether there is such a section.
#[cfg(feature = "yaml")]
pub(super) fn is_section(name: &str) -> bool {
    sections().any(|section| section == name)
}

/// What to say of a section or a key that does not exist.
pub(super) fn unknown(section: &str, name: Option<&str>) -> String {
    let (given, candidates): (String, Vec<String>) = match name {
        Some(name) => {
            let keys = KEYS.iter().map(|(_, section, name)| format!("{section}.{name}"));
            (format!("{section}.{name}"), keys.collect())
        }
        None => (section.to_owned(), sections().map(str::to_owned).collect()),
    };
    let what = if name.is_some() { "key" } else { "section" };
    let known = name.unwrap_or(section);
    // A synonym, the key of another section, the nearest spelling.
    let wanted = SYNONYMS.iter().find(|(synonym, _)| *synonym == known).map_or(known, |(_, name)| name);
    let same = candidates.iter().find(|candidate| candidate.rsplit('.').next() == Some(wanted)).cloned();
    let near = || {
        let within =
            |candidate: &&String| strsim::damerau_levenshtein(candidate, &given) <= 1 + given.len() / 5;
        candidates
            .iter()
            .filter(within)
            .min_by_key(|candidate| strsim::damerau_levenshtein(candidate, &given))
    };
    let key = KEYS.iter().find(|(.., key)| name.is_none() && *key == wanted);
    let suggestion = match (same.or_else(|| near().cloned()), key) {
        (Some(candidate), _) => format!("did you mean '{candidate}'?"),
        (None, Some((_, section, key))) => format!("did you mean '{section}.{key}'?"),
        (None, None) => format!("expected one of {}", candidates.join(", ")),
    };
    format!("unknown {what} '{given}'; {suggestion}")
}

/// The text of a file that is one: a pipe could keep a program waiting for ever, and a device never ends.
fn text_of(path: &Path) -> std::io::Result<String> {
    use std::os::unix::fs::OpenOptionsExt;
    let file =
        std::fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is no regular file"));
    }
    let mut text = String::new();
    let read = file.take(MOST_BYTES as u64 + 1).read_to_string(&mut text);
    match text.len() > MOST_BYTES {
        true => Err(std::io::Error::other(format!("it has more than {MOST_BYTES} bytes"))),
        false => read.map(|_| text),
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> SettingsError {
    SettingsError::new(path.display().to_string(), format!("cannot be read: {error}"))
}

#[cfg(test)]
mod tests;
