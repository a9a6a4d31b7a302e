"""CSV as people save it: every delimiter, line end and quoting, and types told from the texts."""

from datetime import datetime, timezone

import pytest
from bson import Int64

from tests.scripts import problem_of
from tests.tenants.imports.files import Shop, a_shop

pytestmark = pytest.mark.usefixtures("clean_database")


@pytest.fixture
def shop() -> Shop:
    return a_shop()


ROW = "name{d}price{d}paid{e}Ada{d}1.5{d}true{e}Bob{d}{d}{e}"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_delimiters_and_line_ends_are_found_out(shop: Shop, delimiter: str, end: str, mark: str) -> None:
    assert shop.result(mark + ROW.format(d=delimiter, e=end), format="csv")["inserted"] == 2
    assert shop.data() == [{"name": "Ada", "price": 1.5, "paid": True}, {"name": "Bob"}]


def test_values_are_told_from_their_texts(shop: Shop) -> None:
    cells = {
        "7": 7,
        "-3000000000": Int64(-3000000000),
        "1.50": 1.5,
        "1e+16": 1e16,
        "12E3": "12E3",
        "+49123": "+49123",
        "1 000": "1 000",
        "true": True,
        "True": "True",
        "null": None,
        "2024-05-01": "2024-05-01",
        "2024-05-01T12:00:00Z": datetime(2024, 5, 1, 12, tzinfo=timezone.utc),
        "2024-02-31T12:00:00Z": "2024-02-31T12:00:00Z",
        '"[1, {""a"": 2}]"': [1, {"a": 2}],
        "[1": "[1",
        "'=1+1": "=1+1",
        "'tis": "'tis",
        "'12": "12",
        "99999999999999999999": "99999999999999999999",
    }
    header = ",".join(f"c{number}" for number in range(len(cells)))
    shop.result(f"{header}\n{','.join(cells)}\n", format="csv")
    assert list(shop.data()[0].values()) == list(cells.values())


def test_one_leading_zero_makes_a_column_of_codes(shop: Shop) -> None:
    shop.result("zip,n\n10001,1\n00501,2\n", format="csv")
    assert shop.data() == [{"zip": "10001", "n": 1}, {"zip": "00501", "n": 2}]


def test_types_that_the_sender_names_win(shop: Shop) -> None:
    file = "a,b,c,d,e,f\n1,2,yes,2024-05-01,5,{}\nx,2.5,maybe,soon,1.5,{\n"
    result = shop.result(file, format="csv", types="a:string,b:number,c:boolean,d:date,e:integer,f:json")
    assert (result["inserted"], result["failed"]) == (1, 1)
    assert shop.data() == [
        {"a": "1", "b": 2, "c": True, "d": datetime(2024, 5, 1, tzinfo=timezone.utc), "e": 5, "f": {}}
    ]
    assert [error["path"] for error in result["errors"]] == ["c", "d", "e", "f"]


def test_without_inference_all_cells_are_texts(shop: Shop) -> None:
    shop.result("a,b\n1,true\n", format="csv", infer="0", types="b:boolean")
    assert shop.data() == [{"a": "1", "b": True}]


def test_texts_that_stand_for_no_value_are_left_out(shop: Shop) -> None:
    shop.result("a,b\n1,NA\nNA,2\n", format="csv", missing="NA")
    assert shop.data() == [{"a": 1}, {"b": 2}]


def test_dotted_headers_make_objects(shop: Shop) -> None:
    shop.result("_id,place.lat,place.name.short\n7,1.5,x\n", format="csv")
    assert [(row["_id"], row["data"]) for row in shop.rows()] == [
        ("7", {"place": {"lat": 1.5, "name": {"short": "x"}}})
    ]


def test_rows_are_named_by_the_line_that_they_begin_in(shop: Shop) -> None:
    result = shop.result('a,b\n"x\ny",1\n\n"1"2,3\n1,2,3\n,\n', format="csv")
    assert (result["inserted"], result["failed"]) == (1, 2)
    assert [error["line"] for error in result["errors"]] == [5, 6]
    assert shop.data() == [{"a": "x\ny", "b": 1}]


@pytest.mark.parametrize(
    "header", ["a,a", "a,,b", "a,$b", "a,b.", "a,_cls", "_id.x,a", "a,a.b", "x" * 200 + ",b", "\n\n"]
)
def test_a_header_that_cannot_be_is_refused(shop: Shop, header: str) -> None:
    assert problem_of(shop.send(header + "\n1,2,3\n" if header.strip() else header, format="csv"))[0] == 422
    assert shop.rows() == []


def test_a_type_for_a_column_that_is_not_there_is_refused(shop: Shop) -> None:
    assert problem_of(shop.send("a\n1\n", format="csv", types="b:number")) == (422, "file_refused")
