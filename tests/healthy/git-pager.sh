export HOME="$PWD"
git init -q -b main one
cd one
git config user.name Me
git config user.email me@example.org
git commit -q --allow-empty -m 'first of all'
script -qec 'GIT_PAGER="cat" git --paginate log --format=%s' /dev/null | tr -d '\r'
echo q | script -qec 'TERM=xterm LESS= GIT_PAGER="less -+F" git log --format=%s' /dev/null >paged
echo $?
grep -c 'first of all' paged
GIT_PAGER='head -n 1 >/dev/null; exit 3' script -qec 'git log --format=%s' /dev/null
echo $?
