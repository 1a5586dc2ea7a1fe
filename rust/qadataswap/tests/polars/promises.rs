//! The Polars calls that the product's documents promise, as they are written there.

use polars::prelude::*;
use qadataswap::{SharedDataFrame, SharedMemoryConfig};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn sample() -> PolarsResult<DataFrame> {
    df! {
        "a" => [1, 2, 3],
        "b" => [4.0, 5.0, 6.0],
    }
}

#[test]
fn a_config_makes_both_ends_and_a_frame_comes_through() -> Outcome {
    let name = format!("polars-promise-config-{}", std::process::id());
    let polars_df = sample()?;

    // Writer
    let config = SharedMemoryConfig::new(name.as_str()).with_size_mb(100);
    let writer = SharedDataFrame::create_writer(&config)?;
    writer.write(&polars_df)?;

    // Reader
    let reader = SharedDataFrame::create_reader(config)?;
    let df = reader.read(None)?;
    assert!(df.is_some_and(|df| df.equals(&polars_df)));
    Ok(())
}

#[test]
fn a_name_and_a_size_make_a_writer() -> Outcome {
    let name = format!("polars-promise-pair-{}", std::process::id());
    let name = name.as_str();

    // The documents' `mut` is allowed, and not needed.
    #[allow(unused_mut)]
    let mut writer = SharedDataFrame::create_writer((name, 100 * 1024 * 1024))?;
    let df = df! {
        "a" => [1, 2, 3],
        "b" => [4.0, 5.0, 6.0],
    }?;
    writer.write(&df)?;

    let reader = SharedDataFrame::create_reader(name)?;
    let df = reader.read(None)?.expect("without a deadline there is a frame");
    assert_eq!(format!("{}", df), format!("{}", sample()?));
    Ok(())
}

#[test]
fn free_functions_make_both_ends_and_a_lazy_frame_is_one_call_away() -> Outcome {
    use qadataswap::{create_reader, create_writer};
    let name = format!("polars-promise-free-{}", std::process::id());
    let writer = create_writer(&name, 5)?;
    writer.write(&df! { "price" => [1.0, 2.0], "volume" => [100, 200] }?)?;

    let reader = create_reader(&name)?;
    let mut turnover = None;
    if let Some(df) = reader.read(3000)? {
        let df = df.lazy().select([(col("price") * col("volume")).sum()]).collect()?;
        turnover = df.column("price")?.f64()?.get(0);
    }
    assert_eq!(turnover, Some(500.0));
    Ok(())
}

#[test]
fn a_lazy_frame_is_computed_and_written() -> Outcome {
    let name = format!("polars-promise-lazy-{}", std::process::id());
    let writer = SharedDataFrame::create_writer(name.as_str())?;
    let reader = SharedDataFrame::create_reader(name.as_str())?;
    writer.write_lazy(sample()?.lazy().filter(col("a").gt(lit(1))))?;
    let read = reader.read(None)?.expect("without a deadline there is a frame");
    assert!(read.equals(&df! { "a" => [2, 3], "b" => [5.0, 6.0] }?));

    let error = writer.write_lazy(sample()?.lazy().select([col("c")])).unwrap_err();
    assert!(error.to_string().contains("the lazy frame cannot be computed"), "{error}");
    assert!(reader.read(1)?.is_none(), "nothing was published");
    Ok(())
}
