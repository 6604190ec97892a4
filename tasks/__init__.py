"""The steps of a retraining, plain functions, in walking order.

    step       reads                                   writes                                      returns
    resolve    a source's name                         data/heads/ (the last commit seen)          Resolved
    download   the Hub, pinned to a commit             the Hub client's own cache                  Downloaded
    cache      tables of any kind                      data/cache/records-<digest>/ (Parquet)      Cached, with findings
    triplets   the caches                              data/stages/triplets-<digest>/ (arrays)     Stage
    train      the record bank and its triplets        data/stages/model-<digest>/ (model.keras)   Stage
    fold       the record bank                         data/stages/fold-<digest>/ (a bank without a mode, or
                                                       with permuted ones, to train on anew)       Stage
    evaluate   bank, model, champion                   data/stages/report-<digest>/ (report.html)  Stage
    publish    model and report                        artifacts/releases/ or artifacts/drafts/    Outcome
    overrule   a rejected draft                        artifacts/releases/                         Release
    trial      the record bank, a run of a sweep       data/stages/trial-<digest>/ (figures)      Stage
    conclude   what came of a sweep's trials           artifacts/sweeps/ (table, best.toml)       Swept
    score      records of any source, a release        verdicts (Parquet)                          Scored
    drift      records in their order, a release       a page                                      Drifted
    export     a release                               artifacts/exports/ (model.onnx, or a
                                                       SavedModel)                                 Exported
    push       a release                               a model repository of the Hub               Pushed
    compared   a release, the stages of its training
               made again                              nothing                                     Reproduced

A step never imports another: the flow passes what one returned to the next. What several steps need stands in the
folders, the rooms. Pages are made of the templates in `pages/`, in the language of `report/ja.toml` where one is asked.
`steps` binds the functions as Prefect tasks and is the only module here that knows Prefect.
"""
