cat >Makefile <<'M'
all: one two three four five six sub
	@cat one two three four five six
one two three four five six:
	@sleep 0.1; echo $@ | cat >$@.new
	@mv $@.new $@; sh -c 'exit 0'
sub: version := $(shell echo 7; exit 3)
sub:
	@+$(MAKE) -s --no-print-directory leaf VERSION=$(version)
leaf: one
	@-sh -c 'exit 4'
	@test "$(VERSION)" = 7
fail:
	@sleep 0.2 & sh -c 'exit 3'
fail2:
	@sleep 0.3
stop: fail fail2
M
make -s --no-print-directory -j4
echo $?
make -s --no-print-directory -j4 stop
echo $?
make -s --no-print-directory -j4 -k stop
echo $?
