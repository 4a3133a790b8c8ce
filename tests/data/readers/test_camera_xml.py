"""OpenCV's XML as the entries that its YAML would have, and XML that is refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from selfdepth.data.readers.camera_entries import documents_in
from selfdepth.data.readers.camera_xml import is_xml, xml_document
from selfdepth.errors import DataError

HERE = Path("camera.xml")


def _document(text: str) -> dict[str, object]:
    return xml_document(f"<?xml version='1.0'?>\n<opencv_storage>{text}</opencv_storage>\n", HERE)


def test_what_opencv_writes_is_the_same_in_xml_and_in_yaml(tmp_path: Path) -> None:
    found = []
    for suffix in ("xml", "yml"):
        file = cv2.FileStorage(str(tmp_path / f"a.{suffix}"), cv2.FILE_STORAGE_WRITE)
        file.write("image_width", 640)
        file.write("camera_matrix", np.array([[500.5, 0, 320], [0, 501.5, 240], [0, 0, 1]]))
        file.write("name", "front left")
        file.startWriteStruct("list", cv2.FILE_NODE_SEQ)
        for number in (1, 2.5):
            file.write("", number)
        file.endWriteStruct()
        file.startWriteStruct("map", cv2.FILE_NODE_MAP)
        file.write("xi", 2.25)
        file.endWriteStruct()
        file.release()
        text = (tmp_path / f"a.{suffix}").read_text()
        assert is_xml(text) == (suffix == "xml")
        found.append(xml_document(text, HERE) if is_xml(text) else documents_in(text, HERE)[0])
    assert found[0] == found[1]
    assert found[0]["map"] == {"xi": "2.25"} and found[0]["camera_matrix"]["data"][0] == "500.5"


def test_texts_lists_and_mappings() -> None:
    text = '<a>"x y"</a><b>1 2</b><c><_>1</_><_>2</_></c><d><e>3</e></d><f>x y</f><g/>'
    assert _document(text) == {"a": "x y", "b": ["1", "2"], "c": ["1", "2"], "d": {"e": "3"}, "f": "x y", "g": ""}


_ENTITIES = "<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]>\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_ENTITIES + "<opencv_storage><w>&b;</w></opencv_storage>", "DOCTYPE"),
        ("<!DOCTYPE x SYSTEM 'file:///etc/passwd'><opencv_storage><w>1</w></opencv_storage>", "DOCTYPE"),
        ("<opencv_storage><w>&b;</w></opencv_storage>", "undefined entity"),
        ("<opencv_storage><w>1</w>", "cannot be read"),
        ("<calibration><f>1</f></calibration>", "XML that begins with <calibration>"),
        ("<opencv_storage></opencv_storage>", "no entries"),
        ("<opencv_storage><w>1</w><w>2</w></opencv_storage>", "'w' twice"),
        ("<opencv_storage>" + "<a>" * 5000, "too deep"),
        ("<opencv_storage>" + "<a/>" * 9000, "more than 5,000 elements"),
        ("<opencv_storage><w>" + "1 " * 200_000 + "</w></opencv_storage>", "too large"),
        ("<", "cannot be read"),
    ],
)
def test_other_xml_is_refused_in_one_sentence(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        xml_document(text, HERE)
    assert "camera.xml" in str(caught.value) and len(str(caught.value)) < 1000
