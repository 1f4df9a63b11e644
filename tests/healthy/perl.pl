use strict; use warnings;
use IPC::Open3; use POSIX ':sys_wait_h';
$| = 1;
system 'sh', '-c', 'exit 3'; print $? >> 8, "\n";
system 'kill -TERM $$'; print $? & 127, "\n";
my $none = do { no warnings; system '/nonexistent/program' }; print "$none\n";
print `echo ticks; exit 4`, $? >> 8, "\n";
open my $from, '-|', 'sh', '-c', 'echo piped; exit 5' or die; print <$from>; close $from; print $? >> 8, "\n";
open my $to, '|-', 'cat' or die; print $to "written\n"; close $to or die;
open my $early, '-|', 'yes' or die; scalar <$early>; close $early; print $? & 127, "\n";
my $pid = open3(my $in, my $out, undef, 'sh', '-c', 'read x; echo "<$x>"; exit 6');
print $in "three\n"; close $in; print <$out>; waitpid $pid, 0; print $? >> 8, "\n";
my %left;
local $SIG{CHLD} = sub { while ((my $gone = waitpid -1, WNOHANG) > 0) { delete $left{$gone} } };
use POSIX ();
my $block = POSIX::SigSet->new(POSIX::SIGCHLD);
POSIX::sigprocmask(POSIX::SIG_BLOCK, $block);
for my $n (1 .. 5) { my $child = fork // die; if (!$child) { select undef, undef, undef, 0.05 * $n; POSIX::_exit($n) } $left{$child} = $n }
POSIX::sigprocmask(POSIX::SIG_UNBLOCK, $block);
select undef, undef, undef, 0.02 while %left;
print "all gone\n";
$SIG{CHLD} = 'IGNORE';
for (1 .. 3) { my $child = fork // die; exit if !$child }
1 while wait != -1;
print "none left\n";
