export HOME="$PWD"
export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
git init -q -b main one
cd one
git config user.name Me
git config user.email me@example.org
printf '#!/bin/sh\necho "the hook runs"; git diff --cached --name-only | cat\n' >.git/hooks/pre-commit
printf '#!/bin/sh\nexec sed -n 1p "$1"\n' >.git/hooks/commit-msg
chmod +x .git/hooks/*
echo text >file
git add file
git commit -qm first
echo more >>file
git commit -qam second
printf '#!/bin/sh\nexit 1\n' >.git/hooks/pre-commit
git commit -q --allow-empty -m refused
echo $?
GIT_PAGER=cat git log --oneline
git log --format=%s | cat
git config alias.up '!sh -c "exit 6"'
git up
echo $?
git nonesuch 2>/dev/null
echo $?
git gc -q --auto
git gc -q
cd ..
git clone -q one two
git clone -q "file://$PWD/one" three
cd three
git fetch -q --all
git -C ../one -c core.hooksPath=/dev/null commit -q --allow-empty -m third
git pull -q --no-rebase
git log --format=%s
git -c sequence.editor=true -c core.editor=true rebase -q -i HEAD~1
echo $?
