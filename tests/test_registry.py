"""The catalogue: where tasks come from, what is refused, and what binding a task to its templates means."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from flanmix.errors import FlanmixError, SpecError, UsageError
from flanmix.registry import Registry, load_registry, read_file
from flanmix.spec import Family, Mixture, Task, Template

FAMILY = """\
family: nli
fields: [premise, hypothesis]
templates:
- {name: ask, input: "{{ premise }} {{ hypothesis }}?", target: "yes"}
- {name: turn, input: "{{ premise }}", target: "{{ hypothesis }}", tags: [cot, inverted]}
"""
TASK = "task: {}\ntype: nli\nsource: {{path: x}}\n"
ASK = Template("ask", input="{{ q }}", target="{{ a }}")

Written = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes files below the test's folder, and gives the folder."""

    def write(files: Mapping[str, str]) -> Path:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path

    return write


def load(*folders: Path, beside: Path | None = None) -> Registry:
    return load_registry(*folders, bundled=False, plugins=False, beside=beside)


def python_task(name: str = "toy/sum", **values: object) -> Task:
    return Task(name, **{"type": "arithmetic", "source": [{"q": "1 + 1?", "a": "2"}], "templates": [ASK], **values})


def lines(error: pytest.ExceptionInfo[FlanmixError], folder: Path) -> list[str]:
    """An error's lines, with the test's folder taken off."""
    return [line.replace(f"{folder}/", "") for line in str(error.value).splitlines()]


# ---- folders


def test_a_folder_gives_its_tasks_families_and_mixtures(written: Written) -> None:
    mixture = "mixture: mini\nparts: [{select: '*'}]\n"
    folder = written({"nli.yaml": FAMILY, "glue/rte.yaml": TASK.format("glue/rte"), "deep/er/mini.yml": mixture})
    registry = load(folder)
    assert list(registry) == ["glue/rte"]
    assert "glue/rte" in registry
    assert len(registry) == 1
    assert list(registry.families) == ["nli"]
    assert registry.mixture("mini").name == "mini"
    assert repr(registry) == "<Registry of 1 task and 1 mixture>"


def test_tasks_are_sorted_by_name_whatever_their_files_are_called(written: Written) -> None:
    folder = written(
        {"nli.yaml": FAMILY, "1.yaml": TASK.format("z"), "2.yaml": TASK.format("a"), "3.yaml": TASK.format("m")}
    )
    assert list(load(folder)) == ["a", "m", "z"]


def test_a_task_knows_the_folder_that_its_files_are_relative_to(written: Written) -> None:
    folder = written({"nli.yaml": FAMILY, "glue/rte.yaml": TASK.format("glue/rte")})
    assert load(folder)["glue/rte"].folder == folder / "glue"


def test_the_same_catalogue_cannot_be_changed() -> None:
    registry = Registry().with_specs(python_task())
    with pytest.raises(TypeError):
        registry.tasks["toy/sum"] = registry["toy/sum"]  # type: ignore[index]


def test_every_problem_of_every_file_is_told_in_one_run(written: Written) -> None:
    folder = written(
        {
            "a.yaml": "task: a\ntype: nli\nsource: {path: x}\ntypo: 1\n",
            "b.yaml": "mixture: b\nparts: []\n",
            "c.yaml": "tsk: c\n",
            "d.yaml": "family: d\ntask: d\n",
            "e.yaml": "e: [\n",
        }
    )
    with pytest.raises(SpecError) as caught:
        load(folder)
    starts = ["a.yaml:4: typo: ", "b.yaml:2: parts: ", "c.yaml:1: ", "d.yaml:1: ", "e.yaml:2: not YAML: "]
    found = lines(caught, folder)
    assert [line[: len(start)] for line, start in zip(found, starts, strict=True)] == starts


@pytest.mark.parametrize("name", ["nowhere", "file.txt"])
def test_a_folder_that_is_none_is_refused(written: Written, name: str) -> None:
    folder = written({"file.txt": ""})
    with pytest.raises(SpecError, match=r"does not exist|is no folder"):
        load(folder / name)


@pytest.mark.parametrize("place", [".hidden", "__pycache__", "node_modules", "venv/lib"])
def test_folders_that_hold_no_specs_of_ours_are_passed_over(written: Written, place: str) -> None:
    folder = written({"venv/pyvenv.cfg": "", f"{place}/x.yaml": "not: ours\n"})
    assert len(load(folder)) == 0


# ---- beside a mixture file


FOREIGN = {
    "docker-compose.yaml": "services: {web: {image: x}}\n",
    "broken.yaml": "a: [\n",
    "values.yml": "{{ .Values.x }}\n",
    "list.yaml": "- task\n",
}


def test_beside_a_mixture_file_other_yaml_is_passed_over(written: Written) -> None:
    folder = written({"nli.yaml": FAMILY, "rte.yaml": TASK.format("rte"), **FOREIGN})
    assert list(load(beside=folder)) == ["rte"]
    with pytest.raises(SpecError):
        load(folder)


def test_beside_a_mixture_file_ours_are_as_strict_as_anywhere(written: Written) -> None:
    folder = written({"rte.yaml": TASK.format("rte") + "typo: 1\n"})
    with pytest.raises(SpecError, match="unknown key 'typo'"):
        load(beside=folder)


def test_a_folder_that_is_also_beside_is_read_once(written: Written) -> None:
    folder = written({"nli.yaml": FAMILY, "rte.yaml": TASK.format("rte")})
    assert list(load(folder, beside=folder)) == ["rte"]


def test_a_file_of_none_of_ours_is_none_where_that_is_allowed(written: Written) -> None:
    file = written({"x.yaml": "a: 1\n"}) / "x.yaml"
    assert read_file(file, "x.yaml", strict=False) is None
    with pytest.raises(SpecError):
        read_file(file, "x.yaml")


# ---- made in Python


def test_specs_made_in_python_give_a_new_catalogue() -> None:
    empty = Registry()
    registry = empty.with_specs(python_task(), Mixture("mini", parts=[{"select": "*"}]))
    assert (len(empty), len(registry)) == (0, 1)
    assert registry["toy/sum"].task.source.table == [{"q": "1 + 1?", "a": "2"}]  # type: ignore[union-attr]
    assert registry.mixture("mini").parts[0].select == "*"


def test_what_is_no_spec_is_refused() -> None:
    with pytest.raises(UsageError, match="a registry holds tasks, families and mixtures, not dict"):
        Registry().with_specs({"task": "x"})  # type: ignore[arg-type]


def test_a_problem_of_a_spec_made_in_python_names_the_spec() -> None:
    with pytest.raises(SpecError, match=r"^task toy/sum: type: no task type is called 'arithmetik'"):
        Registry().with_specs(python_task(type="arithmetik"))


# ---- duplicates


@pytest.mark.parametrize("text", [TASK.format("same"), FAMILY, "mixture: same\nparts: [{select: '*'}]\n"])
def test_two_of_one_name_are_refused_with_both_files(written: Written, text: str) -> None:
    folder = written({"one.yaml": text, "sub/two.yaml": text})
    with pytest.raises(SpecError, match="is there already - rename one; the other is in") as caught:
        load(folder)
    first, *_ = lines(caught, folder)
    assert first.startswith("sub/two.yaml:1: ")
    assert first.endswith("one.yaml")


def test_a_task_and_a_mixture_may_share_a_name() -> None:
    registry = Registry().with_specs(python_task("same"), Mixture("same", parts=[{"select": "*"}]))
    assert "same" in registry.tasks
    assert "same" in registry.mixtures


# ---- binding


def test_a_task_is_served_by_the_family_of_its_type(written: Written) -> None:
    task = load(written({"nli.yaml": FAMILY, "rte.yaml": TASK.format("rte")}))["rte"]
    assert [template.id for template in task.templates] == ["nli/ask", "nli/turn"]
    assert [template.style for template in task.templates] == ["plain", "inverted"]
    assert task.fields == ("hypothesis", "premise")
    assert task.subject.type == "nli"


def test_a_template_keeps_the_place_where_it_was_written(written: Written) -> None:
    folder = written({"nli.yaml": FAMILY, "rte.yaml": TASK.format("rte")})
    where = load(folder)["rte"].templates[1].where.at("target")
    assert str(where.problem("no")) == f"{folder}/nli.yaml:5: templates[1].target: no"


def test_templates_may_be_left_out_and_added(written: Written) -> None:
    text = TASK.format("rte") + "templates: {without: [ask], add: [{name: own, input: i, target: t}]}\n"
    task = load(written({"nli.yaml": FAMILY, "rte.yaml": text}))["rte"]
    assert [template.id for template in task.templates] == ["nli/turn", "own"]


def test_a_family_gives_its_own_type_of_task() -> None:
    family = Family("riddles", fields=["q"], templates=[Template("ask", input="{{ q }}", target="x")])
    registry = Registry().with_specs(family, python_task(type="riddles", templates={}))
    assert [template.id for template in registry["toy/sum"].templates] == ["riddles/ask"]


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("templates: {use: [nil]}\n", "rte.yaml:4: templates.use[0]: no family is called 'nil' - did you mean 'nli'?"),
        (
            "templates: {without: [aks]}\n",
            "rte.yaml:4: templates.without[0]: no template here is called 'aks' - did you mean 'ask'?",
        ),
        (
            "templates: {use: [], add: []}\n",
            "rte.yaml:1: no template serves this task - add some under 'templates', or write a family 'nli'",
        ),
        (
            "templates:\n- {name: x, input: i, target: t}\n- {name: x, input: i, target: t}\n",
            "the template 'x' is there already - rename one",
        ),
    ],
)
def test_templates_that_are_not_there_or_there_twice_are_refused(written: Written, more: str, problem: str) -> None:
    folder = written({"nli.yaml": FAMILY, "rte.yaml": TASK.format("rte") + more})
    with pytest.raises(SpecError) as caught:
        load(folder)
    (line,) = lines(caught, folder)
    assert line.endswith(problem)


def test_a_type_that_nobody_knows_is_refused_with_the_nearest() -> None:
    with pytest.raises(SpecError, match=r"no task type is called 'aritmetic' - did you mean 'arithmetic'\?"):
        Registry().with_specs(python_task(type="aritmetic"))


# ---- looking up


@pytest.fixture
def toys() -> Registry:
    return Registry().with_specs(
        python_task("toy/sum", tags=["english"]), python_task("toy/sort", type="sorting"), python_task("other")
    )


def test_a_selector_gives_the_names_or_a_smaller_catalogue(toys: Registry) -> None:
    assert toys.names("toy/* -type:sorting") == ["toy/sum"]
    assert list(toys.select("toy/*")) == ["toy/sort", "toy/sum"]
    assert list(toys) == ["other", "toy/sort", "toy/sum"]
    assert toys.names("nothing") == []


def test_a_wrong_selector_or_name_is_a_usage_error_with_the_nearest(toys: Registry) -> None:
    with pytest.raises(UsageError, match="starts with 'typ:'"):
        toys.names("typ:nli")
    with pytest.raises(UsageError, match=r"no task is called 'toy/smu' - did you mean 'toy/sum'\?"):
        toys["toy/smu"]
    with pytest.raises(UsageError, match="no mixture is called 'x' - there are none"):
        toys.mixture("x")


# ---- plug-ins


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts a distribution with entry points into a folder on sys.path, as an installer would."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def make(points: Mapping[str, str], files: Mapping[str, str]) -> None:
        info = site / "flanmix_toys-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: flanmix-toys\nVersion: 1.0\n")
        listed = "".join(f"{name} = {value}\n" for name, value in points.items())
        (info / "entry_points.txt").write_text(f"[flanmix.registry]\n{listed}")
        for name, text in files.items():
            (site / name).parent.mkdir(parents=True, exist_ok=True)
            (site / name).write_text(text, encoding="utf-8")

    before = set(sys.modules)
    yield make
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(site) in str(sys.modules[name].__file__):
            del sys.modules[name]


SPECS = """\
from flanmix.spec import Task, Template

ASK = Template("ask", input="{{ q }}", target="{{ a }}")
TASKS = [Task("plug/sum", type="arithmetic", source=[{"q": "1", "a": "2"}], templates=[ASK])]
FOLDER = __file__.rsplit("/", 1)[0] + "/yaml"
NUMBER = 3
"""


def plugged() -> Registry:
    return load_registry(bundled=False)


def test_a_plug_in_may_be_a_package_of_yaml_files(install: Callable[..., None]) -> None:
    files = {"toys/__init__.py": "", "toys/nli.yaml": FAMILY, "toys/rte.yaml": TASK.format("plug/rte")}
    install({"toys": "toys"}, files)
    assert list(plugged()) == ["plug/rte"]


def test_a_plug_in_may_be_a_list_of_specs_or_a_folder(install: Callable[..., None]) -> None:
    files = {"toys.py": SPECS, "yaml/nli.yaml": FAMILY, "yaml/rte.yaml": TASK.format("plug/rte")}
    install({"one": "toys:TASKS", "two": "toys:FOLDER"}, files)
    assert list(plugged()) == ["plug/rte", "plug/sum"]


def test_plug_ins_are_left_alone_where_they_are_not_wanted(install: Callable[..., None]) -> None:
    install({"toys": "toys:TASKS"}, {"toys.py": SPECS})
    assert list(load_registry(bundled=False, plugins=False)) == []


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("nowhere", "cannot be loaded: ModuleNotFoundError: No module named 'nowhere'"),
        ("toys:MISSING", "cannot be loaded: AttributeError"),
        ("bang", "cannot be loaded: ZeroDivisionError"),
        ("toys:NUMBER", "holds int - it should be a package with YAML files, a folder, or a list of specs"),
    ],
)
def test_a_broken_plug_in_is_named(install: Callable[..., None], value: str, what: str) -> None:
    install({"toys": value}, {"toys.py": SPECS, "bang.py": "1 / 0\n"})
    with pytest.raises(SpecError) as caught:
        plugged()
    assert str(caught.value).startswith(f"plug-in 'toys' ({value}): {what}")


def test_a_problem_in_a_plug_in_names_it(install: Callable[..., None]) -> None:
    install({"toys": "toys:TASKS"}, {"toys.py": SPECS.replace('"arithmetic"', '"arithmetik"')})
    with pytest.raises(SpecError, match=r"^plug-in 'toys' \(toys:TASKS\): type: no task type is called 'arithmetik'"):
        plugged()


def test_a_file_below_two_of_the_folders_is_read_once(tmp_path: Path) -> None:
    """As where a mixture lies beside the folder that is named with it."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/toy.yaml").write_text(
        "task: toy/one\ntype: nli\nsource: {files: x.csv}\n"
        "templates: [{name: ask, input: '{{ q }}', target: '{{ a }}'}]\n"
    )
    registry = load_registry(tmp_path / "mine", beside=tmp_path, bundled=False, plugins=False)
    assert list(registry) == ["toy/one"]
    assert list(load_registry(tmp_path, tmp_path / "mine", bundled=False, plugins=False)) == ["toy/one"]
