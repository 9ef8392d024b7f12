"""The two data sets with a published record: fetched, checked, found offline, and refused."""

import functools
import http.server
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tsforecast import datasets

DATA = os.environ.get("TSFORECAST_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="needs TSFORECAST_DATA")

# A stand-in of three short series, as the competition's CSV has them: a row per series, quoted
# names, empty after the end.
TRAIN = '"V1","V2","V3","V4","V5"\n"H1",605,586,586.5,\n"H2",3,4,5,6\n"H3",10,20,,\n'
TEST = '"V1","V2","V3"\n"H1",7,8\n"H2",9,10\n"H3",11,12\n'
ETT = (
    "date,HUFL,HULL,MUFL,MULL,LUFL,LULL,OT\n"
    "2016-07-01 00:00:00,1,2,3,4,5,6,7\n2016-07-01 01:00:00,8,9,10,11,12,13,14\n"
)
FILES = {"Hourly-train.csv": TRAIN, "Hourly-test.csv": TEST, "ETTh1.csv": ETT}


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """The stand-in takes the place of the published files; the cache is empty, the folder unset."""
    import hashlib

    import pooch

    source = tmp_path / "source"
    source.mkdir()
    for name, text in FILES.items():
        (source / name).write_text(text)
    monkeypatch.delenv("TSFORECAST_DATA", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    hashes = {}
    for part in ("train", "test"):
        names, lengths, y = datasets._read_m4(source / f"Hourly-{part}.csv")
        pairs = ",".join(f"{a}:{n}" for a, n in zip(names, lengths, strict=True))
        micro = np.array([round(value * 1e6) for value in y], dtype="<i8")
        hashes[part] = hashlib.sha256(pairs.encode() + micro.tobytes()).hexdigest()
    monkeypatch.setattr(datasets, "_M4_HASHES", hashes)
    digest = hashlib.sha256((source / "ETTh1.csv").read_bytes()).hexdigest()
    monkeypatch.setattr(datasets, "_ETTH1_HASH", digest)
    return source


@pytest.fixture
def cut():
    """The files of which the server sends one half only."""
    return set()


@pytest.fixture
def served(stand_in, cut, monkeypatch):
    """The stand-in behind a local server, and how often each file was asked for."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path.rsplit("/", 1)[1])
            self.path = "/" + asked[-1]
            if asked[-1] in cut:
                whole = (stand_in / asked[-1]).read_bytes()
                self.send_response(200)
                self.send_header("Content-Length", str(len(whole)))
                self.end_headers()
                self.wfile.write(whole[: len(whole) // 2])
            else:
                super().do_GET()

        def log_message(self, *_):
            pass

    handler = functools.partial(Handler, directory=str(stand_in))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(datasets, "_M4_URL", address + "/Dataset/{}/{}")
    monkeypatch.setattr(datasets, "_ETT_URL", address + "/ETT-small/{}")
    yield asked
    server.shutdown()
    server.server_close()


def cached(stand_in) -> list[str]:
    return sorted(path.name for path in (stand_in.parent / "cache").rglob("*") if path.is_file())


def test_the_addresses_are_those_of_the_publishers():
    assert datasets._M4_URL.format("Train", "Hourly-train.csv") == (
        "https://raw.githubusercontent.com/Mcompetitions/M4-methods/master/"
        "Dataset/Train/Hourly-train.csv"
    )
    assert datasets._ETT_URL.format("ETTh1.csv") == (
        "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small/ETTh1.csv"
    )


def test_fetched_once_and_kept(served, stand_in, capfd):
    panel = datasets.m4_hourly()
    assert panel.to_dict("list") == {
        "unique_id": ["H1"] * 3 + ["H2"] * 4 + ["H3"] * 2,
        "ds": [1, 2, 3, 1, 2, 3, 4, 1, 2],
        "y": [605, 586, 586.5, 3, 4, 5, 6, 10, 20],
    }
    test = datasets.m4_hourly("test")
    assert test["ds"].tolist() == [4, 5, 5, 6, 3, 4]  # goes on where the training part ends
    table = datasets.etth1()
    assert table.index.freqstr == "h"
    assert table["OT"].tolist() == [7, 14]
    datasets.m4_hourly()
    datasets.etth1()
    assert sorted(served) == sorted(FILES)  # each once
    assert cached(stand_in) == sorted(FILES)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", FILES)
def test_other_numbers_are_refused_and_not_kept(served, stand_in, name):
    text = FILES[name]
    (stand_in / name).write_text(text.replace("10", "11", 1) if "10" in text else text + "1")
    call = datasets.etth1 if name == "ETTh1.csv" else lambda: datasets.m4_hourly(name[7:-4])
    with pytest.raises(ValueError, match=r"no longer holds .*Nothing was kept.*TSFORECAST_DATA"):
        call()
    assert name not in cached(stand_in)
    (stand_in / name).write_text(text)  # put right: the next call works
    assert len(call())


@pytest.mark.parametrize("text", ["<html>not found</html>", "", '"V1","V2"\n"H1",a\n'])
def test_what_is_no_table_is_refused(served, stand_in, text):
    (stand_in / "Hourly-train.csv").write_text(text)
    with pytest.raises(ValueError, match="no longer holds the published file"):
        datasets.m4_hourly()
    assert cached(stand_in) == []


@pytest.mark.parametrize("name", ["ETTh1.csv", "Hourly-train.csv"])
def test_a_cut_connection_keeps_nothing_and_the_next_call_works(served, stand_in, cut, name):
    call = datasets.etth1 if name == "ETTh1.csv" else datasets.m4_hourly
    cut.add(name)
    with pytest.raises(ConnectionError, match=rf"{name} .*could not be fetched"):
        call()
    assert cached(stand_in) == []
    cut.clear()
    assert len(call())


def test_a_missing_page_and_a_missing_network(served, stand_in, monkeypatch):
    (stand_in / "ETTh1.csv").unlink()
    with pytest.raises(ConnectionError, match=r"could not be fetched \(HTTPError\)"):
        datasets.etth1()
    monkeypatch.setattr(datasets, "_ETT_URL", "http://127.0.0.1:9/{}")  # nobody listens
    with pytest.raises(ConnectionError, match=r"ETTh1.csv is not on this machine.*TSFORECAST_DATA"):
        datasets.etth1()
    assert cached(stand_in) == []


def test_a_kept_file_that_was_damaged_is_refused(served, stand_in):
    datasets.m4_hourly()
    (kept,) = (stand_in.parent / "cache").rglob("Hourly-train.csv")
    kept.write_text(TRAIN.replace("605", "606"))
    with pytest.raises(ValueError, match=r"Hourly-train.csv in .* checksum differs. Remove it"):
        datasets.m4_hourly()


def test_the_readers_folder_is_looked_into_first(served, stand_in, monkeypatch, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.setenv("TSFORECAST_DATA", str(folder))
    shutil.copy(stand_in / "ETTh1.csv", folder)
    assert len(datasets.etth1()) == 2
    assert served == []
    from_network = datasets.m4_hourly()  # not in the folder
    assert served == ["Hourly-train.csv"]
    rows = from_network.sort_values("unique_id", kind="stable")
    rows.to_parquet(folder / "m4_hourly_train.parquet")
    shutil.rmtree(tmp_path / "cache")
    pd.testing.assert_frame_equal(datasets.m4_hourly(), from_network)  # the other format
    assert served == ["Hourly-train.csv"]
    rows.assign(y=rows["y"] + 0.001).to_parquet(folder / "m4_hourly_train.parquet")
    with pytest.raises(ValueError, match="checksum differs"):
        datasets.m4_hourly()


def test_a_folder_that_is_none(stand_in, monkeypatch):
    monkeypatch.setenv("TSFORECAST_DATA", "no/such/folder")
    with pytest.raises(ValueError, match="TSFORECAST_DATA names 'no/such/folder'"):
        datasets.etth1()


def test_there_are_two_parts():
    with pytest.raises(ValueError, match="'train' and 'test', not 'validation'"):
        datasets.m4_hourly("validation")


@needs_data
def test_m4_hourly_is_as_published():
    train, test = datasets.m4_hourly(), datasets.m4_hourly("test")
    assert train.shape == (353_500, 3)
    assert test.shape == (414 * 48, 3)
    assert list(train["unique_id"].unique()) == [f"H{i}" for i in range(1, 415)]
    assert (
        train.groupby("unique_id")["ds"].max() + 1 == test.groupby("unique_id")["ds"].min()
    ).all()
    both = pd.concat([train, test]).sort_values(["unique_id", "ds"])
    assert (both.groupby("unique_id")["ds"].diff().dropna() == 1).all()
    assert train["y"].iloc[:3].tolist() == [605, 586, 586]
    assert train["y"].min() > 0


@needs_data
def test_etth1_is_as_published():
    table = datasets.etth1()
    assert table.shape == (17_420, 7)
    assert (table.index[1:] - table.index[:-1] == pd.Timedelta("1h")).all()
    assert not table.isna().any().any()
    assert table.iloc[0].round(3).tolist() == [5.827, 2.009, 1.599, 0.462, 4.203, 1.340, 30.531]


@needs_data
def test_reading_leaves_the_readers_files_alone():
    before = {path.name: path.stat().st_mtime for path in Path(str(DATA)).iterdir()}
    datasets.etth1()
    datasets.m4_hourly("test")
    assert {path.name: path.stat().st_mtime for path in Path(str(DATA)).iterdir()} == before
