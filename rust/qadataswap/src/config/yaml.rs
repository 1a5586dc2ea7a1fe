//! Settings from YAML.

use super::settings::{MOST_BYTES, Scalar, Settings, SettingsError, is_section, unknown};
use saphyr::{LoadableYamlNode, MarkedYaml, Scalar as YamlScalar, ScanError, YamlData};
use saphyr_parser::{Event, Parser};

/// The deepest nesting that is looked at; what makes sense has two levels.
const MOST_DEPTH: usize = 16;

impl Settings {
    /// What a YAML document says; `source` is its name in errors.
    ///
    /// # Errors
    /// A key or a value that is not understood, with its line.
    pub fn from_yaml(text: &str, source: &str) -> Result<Settings, SettingsError> {
        if text.len() > MOST_BYTES {
            let what = format!("expected at most {MOST_BYTES} bytes, got {}", text.len());
            return Err(SettingsError::new(source, what));
        }
        let broken = |error: ScanError| {
            SettingsError::new(format!("{source}:{}", error.marker().line()), error.info().to_owned())
        };
        // A tree is built, and torn down, by recursion: one that is too deep would end the program.
        let mut depth = 0;
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(broken)?;
            match event {
                Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
                Event::SequenceEnd | Event::MappingEnd => depth -= 1,
                _ => {}
            }
            if depth > MOST_DEPTH {
                let what = "expected sections of keys, and not what nests so deep";
                return Err(SettingsError::new(format!("{source}:{}", span.start.line()), what));
            }
        }
        let documents = MarkedYaml::load_from_str(text).map_err(broken)?;
        let mut settings = Settings::default();
        let document = match documents.as_slice() {
            [] => return Ok(settings),
            [document] => document,
            [_, second, ..] => {
                return Err(SettingsError::new(place(source, second), "expected one document, got several"));
            }
        };
        for (section, keys) in entries(source, "sections", document)? {
            let name = text_of(source, section)?;
            if !is_section(name) {
                return Err(SettingsError::new(place(source, section), unknown(name, None)));
            }
            for (key, value) in entries(source, &format!("the keys of '{name}'"), keys)? {
                let key_name = text_of(source, key)?;
                let scalar = match &value.data {
                    YamlData::Value(YamlScalar::Integer(whole)) => Scalar::Whole(*whole),
                    YamlData::Value(YamlScalar::FloatingPoint(real)) => Scalar::Real(real.0),
                    YamlData::Value(YamlScalar::Boolean(flag)) => Scalar::Flag(*flag),
                    YamlData::Value(YamlScalar::String(text)) => Scalar::Text(text),
                    _ => {
                        let what = format!("{name}.{key_name}: expected one value");
                        return Err(SettingsError::new(place(source, key), what));
                    }
                };
                settings.put((name, key_name), scalar, place(source, key))?;
            }
        }
        Ok(settings)
    }
}

/// What a mapping holds; nothing at all counts as an empty one.
fn entries<'n, 'i>(
    source: &str,
    what: &str,
    node: &'n MarkedYaml<'i>,
) -> Result<Vec<(&'n MarkedYaml<'i>, &'n MarkedYaml<'i>)>, SettingsError> {
    match &node.data {
        YamlData::Mapping(mapping) => Ok(mapping.iter().collect()),
        YamlData::Value(YamlScalar::Null) => Ok(Vec::new()),
        _ => Err(SettingsError::new(place(source, node), format!("expected {what}, as 'name: value'"))),
    }
}

fn text_of<'n>(source: &str, node: &'n MarkedYaml<'_>) -> Result<&'n str, SettingsError> {
    match &node.data {
        YamlData::Value(YamlScalar::String(text)) => Ok(text),
        _ => Err(SettingsError::new(place(source, node), "expected a name")),
    }
}

fn place(source: &str, node: &MarkedYaml<'_>) -> String {
    format!("{source}:{}", node.span.start.line())
}
