# Two commands do everything: `make bench` and `make test`.
#   EXTRA=cpu|cuda      which builds of the frameworks (see README.md)
#   PYTHON=python3.12   another interpreter to make .venv from
#   EVENBENCH_PROFILE=quick|standard|full   how much `make bench` measures
EXTRA ?= cpu
PYTHON ?= python3
export PYTHON
VENV := .venv/bin/python

.PHONY: help bench test setup probe verify run report preview fairness agreement power kills oracle lint format clean
.DEFAULT_GOAL := help

help:
	@echo "make bench    install, probe, verify, measure, report; prints the report's path"
	@echo "make test     install, run the tests"
	@echo "make setup | probe | verify | run | report | preview | fairness | agreement | power | kills | oracle | lint | format | clean"

setup:
	@.ci/setup "$(EXTRA)"

bench: setup
	@$(VENV) -m suites.bench

# Two files of tests at a time: a proof in mode eager keeps one core busy for most of its time.
test: setup
	@$(VENV) -m pytest -n 2 --dist loadfile

probe: setup
	@$(VENV) -m suites.cli probe

verify: setup
	@$(VENV) -m suites.cli verify

run: setup
	@$(VENV) -m suites.cli run

report: setup
	@$(VENV) -m suites.cli report

preview: report
	@echo "http://127.0.0.1:8000 shows the report; Ctrl-C ends it"
	@$(VENV) -m http.server --bind 127.0.0.1 --directory .asv/report 8000

# Our implementations against torchvision's, timm's and keras.applications'.
fairness: setup
	@$(VENV) -m suites.fairness

# Our latencies against torch.utils.benchmark's, pyperf's and timm's of the same call.
agreement: setup
	@$(VENV) -m suites.agreement

# Comparisons of two runs: false alarms, and slowdowns that are found.
power: setup
	@$(VENV) -m suites.power

# Real runs, killed at random moments: whether anything that was finished is lost.
kills: setup
	@$(VENV) -m suites.kills

# hwprobe's ceilings against a program in C.
oracle: setup
	@$(VENV) -m suites.oracle

lint: setup
	@$(VENV) -m ruff check --quiet .
	@$(VENV) -m ruff format --quiet --check .
	@$(VENV) -m mypy --no-error-summary

format: setup
	@$(VENV) -m ruff check --quiet --fix .
	@$(VENV) -m ruff format --quiet .

# Results are days of work: .asv/results and .asv/runs stay.
clean:
	rm -rf .venv .asv/report .asv/html .asv/env .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
