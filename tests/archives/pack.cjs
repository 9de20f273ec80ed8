// Packs the working directory with npm's archiver, as the Serverless Framework does: `node pack.cjs ARCHIVER > ARCHIVE`.
// Buffers are appended, empty ones too, which makes entries that are stored and have a data descriptor.
const fs = require('fs')
const path = require('path')
const archive = require(process.argv[2])('zip', { zlib: { level: 9 } })

function add(directory) {
  for (const name of fs.readdirSync(directory).sort()) {
    const file = path.posix.join(directory, name)
    const { mode, mtime: date } = fs.lstatSync(file)
    const kind = mode & 0o170000
    if (kind === 0o120000) {
      archive.symlink(file, fs.readlinkSync(file), mode & 0o7777)
    } else if (kind === 0o040000) {
      archive.append('', { name: file + '/', mode, date })
      add(file)
    } else {
      archive.append(fs.readFileSync(file), { name: file, mode, date })
    }
  }
}

archive.on('error', (error) => { throw error })
archive.pipe(process.stdout)
add('.')
archive.append(Buffer.alloc(0), { name: 'package/__init__.py' })
archive.finalize()
