import pytest

from salesforecast.errors import BadSettings
from salesforecast.settings import load_settings, locate


def write(folder, text):
    path = folder / "salesforecast.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_no_file_means_defaults(tmp_path):
    settings = load_settings(folder=tmp_path)
    assert (settings.language, settings.basis, settings.currency.base) == ("zh", "order", "CNY")


def test_the_file_in_the_folder_is_read_with_or_without_bom(tmp_path):
    write(tmp_path, "\ufefflanguage = 'en'\n[fiscal]\nyear_start_month = 4\n")
    settings = load_settings(folder=tmp_path)
    assert settings.language == "en"
    assert settings.fiscal.year_start_month == 4


def test_an_unknown_key_names_the_nearest_valid_one(tmp_path):
    path = write(tmp_path, "[fiscal]\nyear_start_moth = 4\n")
    with pytest.raises(BadSettings, match=r"fiscal\.year_start_moth.*Did you mean 'year_start_month'"):
        load_settings(path)


def test_an_unknown_key_in_a_list_is_found_too(tmp_path):
    path = write(tmp_path, "[[stages.default]]\ncode = 'a'\nprobabilty = 0.1\n")
    with pytest.raises(BadSettings, match="probabilty"):
        load_settings(path)


def test_a_value_out_of_range_shows_what_was_found(tmp_path):
    path = write(tmp_path, "[fiscal]\nyear_start_month = 13\n")
    with pytest.raises(BadSettings, match="found 13"):
        load_settings(path)


@pytest.mark.parametrize("text", ["language = ", "language = 'zh'\nlanguage = 'en'"])
def test_broken_toml_names_the_file(tmp_path, text):
    with pytest.raises(BadSettings, match=r"salesforecast\.toml is not valid TOML"):
        load_settings(write(tmp_path, text))


def test_a_missing_file_is_an_error_when_it_was_asked_for(tmp_path):
    with pytest.raises(BadSettings, match="No settings file"):
        load_settings(tmp_path / "none.toml")


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        load_settings().language = "en"


def test_a_relative_path_is_found_from_a_notebooks_folder(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "notebooks" / "reviews").mkdir(parents=True)
    (tmp_path / "data" / "sales.duckdb").touch()
    monkeypatch.chdir(tmp_path / "notebooks" / "reviews")
    assert locate("data/sales.duckdb") == tmp_path / "data" / "sales.duckdb"


def test_a_time_zone_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(BadSettings, match="expected a time zone like Asia/Shanghai, found 'Asia/Peking'"):
        load_settings(write(tmp_path, "timezone = 'Asia/Peking'\n"))
