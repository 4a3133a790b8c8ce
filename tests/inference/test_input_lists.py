"""Lists of many inputs: what counts as one, and what its results are called."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from helpers.images import write_images
from selfdepth.data.readers import trees
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.inference.input_lists import SETTINGS_FILE, output_name, read_input_list

PARTS = st.text(alphabet="ab_.~/ -é", min_size=1, max_size=8)


def keys(place: Path, out: Path = Path("/nowhere")) -> list[str]:
    return [each.key for each in read_input_list(place, out=out)]


def test_a_text_gives_a_path_a_line_relative_to_itself(tmp_path: Path) -> None:
    text = f"\ufeff# of Monday\n\n  day1/a.mp4 \r\n../b.mp4\n{tmp_path}/lists/day1/c.mp4\n/far/d.mp4\n#e.mp4\nnot#f.mp4"
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/all.txt").write_text(text)
    listed = read_input_list(tmp_path / "lists/all.txt", out=tmp_path)
    assert [each.key for each in listed] == ["day1/a.mp4", "../b.mp4", "day1/c.mp4", "/far/d.mp4", "not#f.mp4"]
    assert [each.path for each in listed[:2]] == [tmp_path / "lists/day1/a.mp4", tmp_path / "b.mp4"]
    assert listed[0].name == "day1__a.mp4"


def test_a_path_that_is_named_twice_counts_once_and_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "all.txt").write_text(f"a.mp4\nb.mp4\n./x/../a.mp4\n{tmp_path}/b.mp4\n")
    with pytest.warns(SelfDepthWarning) as said:
        assert keys(tmp_path / "all.txt") == ["a.mp4", "b.mp4"]
    assert [str(each.message).split(" of ")[0] for each in said] == ["line 3", "line 4"]


def test_of_many_repeats_a_few_are_named_and_the_rest_are_counted(tmp_path: Path) -> None:
    (tmp_path / "all.txt").write_text("a.mp4\n" * 30)
    with pytest.warns(SelfDepthWarning) as said:
        assert keys(tmp_path / "all.txt") == ["a.mp4"]
    assert len(said) == 6 and str(said[-1].message) == "24 more lines name inputs once more"


def test_the_paths_of_a_text_are_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A hundred thousand of them on a network drive would take minutes, in each process.
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "all.txt").write_text("circle\na.mp4\nb/../c.mp4\n")
    looked_at: list[Path] = []
    stat = Path.stat
    monkeypatch.setattr(Path, "stat", lambda path, **options: looked_at.append(path) or stat(path, **options))
    assert keys(tmp_path / "all.txt") == ["circle", "a.mp4", "c.mp4"]
    assert {path.name for path in looked_at} <= {"all.txt"}


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("~/a.mp4", str(Path.home() / "a.mp4")),
        ("d/./a.mp4", "d/a.mp4"),
        ("d/", "d"),
        (".", "."),
        ("'a.mp4'", "'a.mp4'"),
        ("$HOME/a.mp4", "$HOME/a.mp4"),
        ("d/*.mp4", "d/*.mp4"),
        ("d\\a.mp4", "d\\a.mp4"),
        ("a.mp4 # mine", "a.mp4 # mine"),
        ("a\u2028b.mp4", "a\u2028b.mp4"),
    ],
)
def test_a_line_is_a_path_as_it_stands(tmp_path: Path, line: str, key: str) -> None:
    (tmp_path / "all.txt").write_text(f"first.mp4\n{line}\r\n")
    assert keys(tmp_path / "all.txt") == ["first.mp4", key]


def test_a_tree_gives_videos_and_folders_of_images_at_any_depth(tmp_path: Path) -> None:
    tree = tmp_path / "archive"
    deep = tree / "2024/june/monday/front/left/raw/a"
    write_images(deep / "frames", range(3))
    for video in (tree / "b10.mp4", tree / "b9.MP4", deep / "c.avi"):
        video.write_bytes(b"is not looked into")
    write_images(deep, range(2))  # thumbnails beside a video
    for hidden in (tree / ".d.mp4", tree / "@eaDir/e.mp4", tree / "notes.txt"):
        hidden.parent.mkdir(exist_ok=True)
        hidden.write_text("no footage")
    below = "2024/june/monday/front/left/raw/a"
    with pytest.warns(SelfDepthWarning, match=r"left out, fewer than 20 images beside other inputs: .*/a \(2\)"):
        found = keys(tree)
    assert found == ["b9.MP4", "b10.mp4", f"{below}/c.avi", f"{below}/frames"]


def test_many_images_beside_videos_are_an_input_of_their_own(tmp_path: Path) -> None:
    write_images(tmp_path / "a", range(20))
    (tmp_path / "a/b.mp4").write_bytes(b"")
    assert keys(tmp_path) == ["a", "a/b.mp4"]


def test_results_and_depth_maps_in_a_tree_are_no_inputs(tmp_path: Path) -> None:
    write_images(tmp_path / "drive/rgb", range(3))
    write_images(tmp_path / "out/of_this", range(3))
    write_images(tmp_path / "older/color", range(3))
    (tmp_path / "older" / SETTINGS_FILE).write_text("{}")
    (tmp_path / "drive/depth").mkdir()
    Image.new("I;16", (8, 8)).save(tmp_path / "drive/depth/0.png")
    (tmp_path / "loose").mkdir()
    mark = PngInfo()
    mark.add_text("Software", "selfdepth")
    Image.new("RGB", (8, 8)).save(tmp_path / "loose/0.png", pnginfo=mark)
    with pytest.warns(SelfDepthWarning, match="left out"):
        assert keys(tmp_path, out=tmp_path / "out") == ["drive/rgb"]


def test_a_link_back_up_is_not_followed_for_ever(tmp_path: Path) -> None:
    write_images(tmp_path / "a/b", range(1))
    (tmp_path / "a/again").symlink_to(tmp_path)
    with pytest.warns(SelfDepthWarning, match="left out, a link to what is met anyway: .*/a/again"):
        assert keys(tmp_path) == ["a/b"]


def test_a_link_that_leads_nowhere_is_an_input_that_is_lost(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").symlink_to(tmp_path / "gone.mp4")
    (tmp_path / "b.mp4").write_bytes(b"")
    (tmp_path / "c.mp4").symlink_to(tmp_path / "b.mp4")
    assert keys(tmp_path) == ["a.mp4", "b.mp4", "c.mp4"]


def test_depth_maps_beside_videos_do_not_refuse_the_videos(tmp_path: Path) -> None:
    (tmp_path / "depth").mkdir()
    for number in range(3):
        Image.new("I;16", (8, 8)).save(tmp_path / f"depth/{number}.png")
    with pytest.raises(DataError, match="these are depth maps, not frames"):
        keys(tmp_path)
    (tmp_path / "a.mp4").write_bytes(b"")
    with pytest.warns(SelfDepthWarning, match="left out, depth maps: depth"):
        assert keys(tmp_path) == ["a.mp4"]


def test_folders_that_cannot_be_listed_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locked").mkdir()
    (tmp_path / "a.mp4").write_bytes(b"")
    monkeypatch.setattr(trees, "_can_list", lambda folder: folder.name != "locked")
    with pytest.warns(SelfDepthWarning, match="left out, the folder cannot be listed: .*/locked"):
        assert keys(tmp_path) == ["a.mp4"]


def test_results_among_the_inputs_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"")
    with pytest.raises(DataError, match=r"the results would lie among the inputs: .*name another --out"):
        keys(tmp_path, out=tmp_path / "x/..")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("gone.txt", None, "there is no such list: .*gone.txt"),
        ("empty.txt", b"", "the list names no input"),
        ("comments.txt", b"# nothing\n\n", "the list names no input"),
        ("utf16.txt", "a.mp4".encode("utf-16"), "cannot be read.*text in UTF-16; save it as UTF-8"),
        ("bytes.txt", b"a.mp4\n\xff\n", "no UTF-8: byte 0xff in line 2"),
        ("photo.txt", b"\x89PNG\r\n\x1a\n" + bytes(8), "this is no list.*got a PNG image; leave --shard out"),
        ("film.txt", b"\x1a\x45\xdf\xa3" + bytes(8), "this is no list.*got a video"),
        ("long.txt", b"a.mp4\n" + b"x" * 300, "the name is too long: line 2 of .*long.txt"),
        ("case.txt", b"a.mp4\nA.mp4", "would have one name.*got a.mp4 and A.mp4"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path: Path, name: str, content: bytes | None, sentence: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=sentence) as refusal:
        keys(tmp_path / name)
    assert "\n" not in str(refusal.value)


def test_a_folder_without_footage_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(DataError, match="the list names no input"):
        keys(tmp_path)


@given(st.lists(PARTS, unique=True, min_size=2, max_size=20))
def test_different_paths_have_different_names_that_are_no_paths(paths: list[str]) -> None:
    names = [output_name(path) for path in paths]
    assert len(set(names)) == len(names)
    for name in names:
        assert "/" not in name and name[0] not in ". " and len(name.encode()) <= 180 and name != SETTINGS_FILE


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("a.mp4", "a.mp4"),
        ("day 1/front_left/a.mp4", "day 1__front_left__a.mp4"),
        ("서울/a.mp4", "서울__a.mp4"),
        ("a__b.mp4", "a__b.mp4~"),
        ("../b.mp4", "b.mp4~"),
        ("/far/d.mp4", "far__d.mp4~"),
        (".", "input~"),
        (SETTINGS_FILE, f"{SETTINGS_FILE}~"),
        ("x" * 200, "x" * 40 + "~"),
        ("a\n$(b);'c'.mp4", "a_b_c_.mp4~"),
    ],
)
def test_names_can_be_read_and_have_a_digest_only_where_they_need_one(key: str, name: str) -> None:
    found = output_name(key)
    assert found == name if not name.endswith("~") else found.startswith(name) and len(found) == len(name) + 12


def test_a_name_does_not_depend_on_the_rest_of_the_list(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("a/b.mp4")
    (tmp_path / "many.txt").write_text("a__b.mp4\nc/b.mp4\na/b.mp4\nb.mp4")
    (one,) = read_input_list(tmp_path / "one.txt", out=tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert one in read_input_list(tmp_path / "many.txt", out=tmp_path)
