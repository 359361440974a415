"""What does a host know of its site, and when does it ask for that anew?"""

from pathlib import Path

from cloudgate.host.state.site import SiteStore
from cloudgate.protocol import Maintenance, Site


def test_what_a_host_service_before_has_kept_holds_and_is_asked_for_anew(tmp_path: Path) -> None:
    SiteStore(tmp_path / "site.json").replace(
        Site(revision=3, maintenance=Maintenance(message="at work"))
    )
    found = SiteStore(tmp_path / "site.json")
    assert found.maintenance is not None
    assert found.revision == 0, "it may have been of a release that understood less"
    found.replace(Site(revision=3))
    assert found.revision == 3
