# make demo   sets up, builds, runs the quick-start pipeline on the shipped sample, says where to look
# make test   the same set-up, then every test
# make install PREFIX=/usr/local   copies the program, its model and its pipelines

PREFIX ?= /usr/local
DEMO ?= runs/demo
PROGRAM = .build/release/lenticular

.PHONY: setup build demo test install clean

setup:
	@scripts/setup.sh

build: setup
	swift build -c release --product lenticular

demo: build
	@rm -rf "$(DEMO)"
	$(PROGRAM) run pipelines/quickstart.yaml --input data/sample --output "$(DEMO)"
	@echo "Label the most unusual objects in the terminal:  $(PROGRAM) review $(DEMO)"

test: setup
	swift build -c release --build-tests
	swift test -c release --skip-build

install: build
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/share/lenticular/models" "$(DESTDIR)$(PREFIX)/share/lenticular/pipelines"
	install -m 755 $(PROGRAM) "$(DESTDIR)$(PREFIX)/bin/lenticular"
	install -m 644 data/models/* "$(DESTDIR)$(PREFIX)/share/lenticular/models/"
	install -m 644 pipelines/*.yaml "$(DESTDIR)$(PREFIX)/share/lenticular/pipelines/"

clean:
	swift package clean
