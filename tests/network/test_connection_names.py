"""Does a name mean one connection, and by one end what is known?"""

from cloudgate.network.connection_names import comes_from, connection_name, has_both_ends


def test_a_name_is_both_ends_or_the_one_that_is_known() -> None:
    assert connection_name("192.0.2.1:443", "192.0.2.7:5000") == "192.0.2.1:443>192.0.2.7:5000"
    assert connection_name("", "192.0.2.7:5000") == "192.0.2.7:5000"
    assert connection_name("192.0.2.1:443", "") == "192.0.2.1:443"
    assert has_both_ends("192.0.2.1:443>192.0.2.7:5000")
    assert not has_both_ends("192.0.2.7:5000")
    assert comes_from("192.0.2.1:443>192.0.2.7:5000", "192.0.2.7:5000")
    assert not comes_from("192.0.2.1:443>192.0.2.77:5000", "2.0.2.77:5000")
    assert not comes_from("192.0.2.7:5000", "192.0.2.7:5000")
