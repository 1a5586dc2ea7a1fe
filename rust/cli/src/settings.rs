//! `qads config`: what the environment and `qadataswap.yaml` say of rings.

use crate::cli::Global;
use crate::exit::{Exit, Failed};
use crate::out::Out;
use crate::table::{Flush, Table};
use qadataswap::{SettingValue, Settings};
use serde::Serialize;

/// A setting, as one line of JSON.
#[derive(Serialize)]
struct Line {
    key: String,
    value: serde_json::Value,
    source: String,
}

pub(crate) fn run(global: &Global) -> anyhow::Result<()> {
    let settings = Settings::discover().map_err(|error| Failed::new(Exit::Usage, error.to_string()))?;
    let mut out = Out::new();
    let columns = [("key", Flush::Left), ("value", Flush::Left), ("where", Flush::Left)];
    let mut table = Table::new(&columns);
    for setting in settings.iter() {
        if global.json {
            let value = match setting.value {
                SettingValue::Number(number) => number.into(),
                SettingValue::Flag(flag) => flag.into(),
                SettingValue::Text(text) => text.into(),
            };
            out.json(&Line { key: setting.key, value, source: setting.source })?;
        } else {
            table.push(vec![setting.key, setting.value.to_string(), setting.source]);
        }
    }
    match (global.json, table.is_empty()) {
        (true, _) => Ok(()),
        (false, true) => {
            out.line("nothing is configured: every ring is as its program or the defaults have it")
        }
        (false, false) => out.line(table),
    }
}
