# Metrics, tables, figures and the page that holds them.

# What their captions say of n, seeds and commit; no rule depends on it.
config["rests_on"] = plan.rests_on(PARAMS)


rule summarise:
    """Every run on the test set: metrics.json, and the statistics behind what is shown."""
    input:
        streams=plan.archives(PARAMS),
        evaluations=plan.evaluations(PARAMS),
        classifiers=plan.classifiers(PARAMS),
        seconds=plan.times(PARAMS),
    output:
        metrics=report(
            str(paths.METRICS), category="Metrics", caption="../report/metrics.rst"
        ),
        statistics=str(paths.STATISTICS),
        timings=str(paths.TIMINGS),
    log:
        "logs/summarise.log",
    benchmark:
        "logs/summarise.tsv"
    params:
        reads=plan.read_by_summarise(PARAMS),
        config=plan.summary_config(PARAMS),
        code=code("summarise"),
    shell:
        "mien summarise &> {log:q}"


rule tables:
    """The paper's tables and ours, in Markdown, LaTeX and CSV."""
    input:
        statistics=str(paths.STATISTICS),
        timings=str(paths.TIMINGS),
    output:
        report(
            plan.tables(),
            category="Tables",
            caption="../report/tables.rst",
        ),
        curve=str(paths.RATE_ACCURACY),
    log:
        "logs/tables.log",
    benchmark:
        "logs/tables.tsv"
    params:
        code=code("tables"),
    shell:
        "mien tables &> {log:q}"


rule figures:
    """The paper's figures."""
    input:
        statistics=str(paths.STATISTICS),
        evaluations=plan.evaluations(PARAMS),
        bits=plan.bit_maps(PARAMS),
    output:
        plan.figures("pdf"),
        report(
            plan.figures("png"),
            category="Figures",
            caption="../report/figures.rst",
        ),
    log:
        "logs/figures.log",
    benchmark:
        "logs/figures.tsv"
    params:
        reads=plan.read_by_figures(PARAMS),
        code=code("figures"),
    shell:
        "mien figures &> {log:q}"


rule report:
    """One page with all of it, which needs no network."""
    input:
        statistics=str(paths.STATISTICS),
        figures=plan.figures("png"),
    output:
        report(str(paths.REPORT), category="Report", caption="../report/page.rst"),
    log:
        "logs/report.log",
    benchmark:
        "logs/report.tsv"
    params:
        code=code("report"),
    shell:
        "mien report &> {log:q}"
