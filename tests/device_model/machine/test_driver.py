"""The driver between hardware and readers: causes come and go independently, and the oldest version counts."""

from device_model.machine.driver import Driver


def test_a_driver_is_sound_unless_something_says_otherwise() -> None:
    driver = Driver()
    assert driver.sound
    for causes in (driver.missing_by, driver.unreadable_by):
        causes.update({1, 2})
        causes.remove(1)
        assert not driver.sound
        causes.remove(2)
        assert driver.sound


def test_of_several_versions_the_oldest_is_there() -> None:
    assert Driver().version is None
    driver = Driver()
    driver.version_by[1] = "2.9.4"
    driver.version_by[2] = "2.10.11"
    assert driver.version == "2.9.4", "versions are numbers, not text"
    del driver.version_by[1]
    assert (driver.version, driver.sound) == ("2.10.11", False)
