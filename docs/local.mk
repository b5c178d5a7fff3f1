# docs
dist_man_MANS += docs/man/sebd.json.5
EXTRA_DIST += docs/examples/sebd.json
